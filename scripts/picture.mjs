// Takes the pictures that scripts/picture puts together: the demo, while the sun goes round and the map is dragged up and down.
// Usage: node scripts/picture.mjs DIRECTORY

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { launch, open, serve, settled } from "../tests/browser/demo.js";

const [directory] = process.argv.slice(2);
await mkdir(directory, { recursive: true });
const { url, stop } = await serve();
const browser = await launch();
try {
  const context = await browser.newContext({ viewport: { width: 960, height: 600 }, deviceScaleFactor: 1 });
  const { page } = await open(context, url);
  let number = 0;
  const shoot = async () => {
    await page.waitForFunction(() => window.demo.state.moves === window.demo.state.movesSent);
    await settled(page);
    await page.screenshot({ path: join(directory, `${String(number++).padStart(3, "0")}.png`) });
  };
  const dial = await page.locator("#dial").boundingBox();
  const [x, y, far] = [dial.x + dial.width / 2, dial.y + dial.height / 2, 0.26 * dial.width];
  const sun = (degrees) => page.mouse.move(x + far * Math.sin((degrees * Math.PI) / 180), y - far * Math.cos((degrees * Math.PI) / 180));

  await sun(315);
  await page.mouse.down();
  for (let degrees = 315; degrees <= 675; degrees += 15) {
    await sun(degrees);
    await shoot();
  }
  await page.mouse.up();
  const drag = async (sign) => {
    await page.mouse.move(480, 300);
    await page.mouse.down();
    for (let step = 1; step <= 6; step++) {
      await page.mouse.move(480, 300 - sign * 24 * step);
      await shoot();
    }
    await page.mouse.up();
  };
  await drag(1);
  await drag(-1);
} finally {
  await browser.close();
  await stop();
}
