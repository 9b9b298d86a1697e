// The demo in Chromium, while its light turns. Usage: demo.mjs URL SECONDS WARM. Prints as JSON: of each light that came on the screen, all
// tiles of it, its number, when it came (seconds since 1970) and the quality and lag that the page shows; the lights drawn a second; and
// what the console said.
import { chromium } from "../../tests/browser/node_modules/playwright-core/index.mjs";

const [url, seconds, warm] = process.argv.slice(2);
const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
try {
  const page = await browser.newPage({ viewport: { width: 960, height: 640 } });
  page.setDefaultTimeout(60_000);
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) errors.push(message.text());
  });
  await page.goto(url);
  await page.waitForFunction(() => window.demo?.settled);
  await page.getByRole("button", { name: "Flow" }).click();
  await page.getByRole("button", { name: "Animate" }).click();
  await page.waitForTimeout(warm * 1000);
  const lights = await page.evaluate(async (milliseconds) => {
    const found = [];
    const until = performance.now() + milliseconds;
    let last = window.demo.shown.light;
    while (performance.now() < until) {
      await new Promise(requestAnimationFrame);
      const { light } = window.demo.shown;
      const { quality, lag } = window.demo.stats;
      if (light !== last) found.push({ number: light, at: (performance.timeOrigin + performance.now()) / 1000, quality, lag });
      last = light;
    }
    return found;
  }, seconds * 1000);
  await page.getByRole("button", { name: "Stop" }).click();
  await page.waitForFunction(() => window.demo.settled);
  console.log(JSON.stringify({ lights, errors }));
} finally {
  await browser.close();
}
