// Decoding in Chromium: prints client to size to microseconds as JSON.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "../../tests/browser/node_modules/playwright-core/index.mjs";

const ROOT = new URL("../../", import.meta.url);
const TYPES = { ".mjs": "text/javascript", ".js": "text/javascript", ".html": "text/html" };

const server = createServer(async ({ url }, response) => {
  const file = fileURLToPath(new URL(`.${url}`, ROOT));
  response.writeHead(existsSync(file) ? 200 : 404, { "Content-Type": TYPES[extname(file)] ?? "text/plain" });
  response.end(existsSync(file) ? await readFile(file) : "");
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  const page = await browser.newPage();
  page.on("pageerror", (error) => console.error(error));
  await page.goto(`http://127.0.0.1:${server.address().port}/benchmarks/decode/page.html`);
  await page.waitForFunction(() => globalThis.results, undefined, { timeout: 120_000 });
  console.log(JSON.stringify(await page.evaluate(() => globalThis.results)));
} finally {
  await browser.close();
  server.close();
}
