// A page that does not draw, and one whose callback hangs, hold up themselves alone.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launch, serve } from "./demo.js";

const WINDOW = 4; // frames that are sent before the first is dealt with

describe("pages that take frames", { timeout: 120_000 }, () => {
  let server, browser, context;

  before(async () => {
    server = await serve("tests.browser.frames");
    browser = await launch();
    context = await browser.newContext();
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  async function open(callback) {
    const page = await context.newPage();
    await page.goto(`${server.url}#${callback}`);
    await page.waitForFunction(() => window.test?.frames.length > 0);
    return page;
  }

  const count = (page) => page.evaluate(() => window.test.frames.length);
  const more = async (page, frames) => {
    const before = await count(page);
    await page.waitForFunction((wanted) => window.test.frames.length >= wanted, before + frames, { polling: 50 });
  };

  test("painted() resolves when what was drawn is presented", async () => {
    const page = await open("painted");
    const [frame, resolved] = await page.evaluate(async () => {
      let frame;
      requestAnimationFrame(() => (frame = performance.now()));
      await window.test.painted();
      return [frame, performance.now()];
    });
    assert.ok(resolved >= frame, "not before the frame's callbacks");
    await page.close();
  });

  test("a callback that hangs holds up its own page alone", async () => {
    const [healthy, hanging] = [await open("painted"), await open("never")];
    await more(healthy, 60);
    assert.equal(await count(hanging), WINDOW);
    await Promise.all([healthy.close(), hanging.close()]);
  });

  test("a page in the background holds up itself alone, and has the newest frame when it is back", async () => {
    const [healthy, away] = [await open("painted"), await open("painted")];
    await more(away, 10);
    // What browsers do with a tab in the background, which headless ones do not: callbacks before a frame wait until it is seen again.
    await away.evaluate(() => {
      window.waiting = [];
      window.original = requestAnimationFrame;
      window.requestAnimationFrame = (callback) => window.waiting.push(callback);
    });
    await more(healthy, 30);
    const before = await count(away);
    await more(healthy, 60);
    assert.equal(await count(away), before, "nothing is sent that is not seen");
    await away.evaluate(() => {
      window.requestAnimationFrame = window.original;
      for (const callback of window.waiting) requestAnimationFrame(callback);
    });
    const newest = await healthy.evaluate(() => window.test.frames.at(-1));
    await away.waitForFunction((number) => window.test.frames.at(-1) >= number, newest, { polling: 50 });
    const gaps = await away.evaluate(() => window.test.frames.map((number, i, all) => number - (all[i - 1] ?? number)));
    assert.ok(Math.max(...gaps) > 60, "what was published meanwhile was left out");
    await Promise.all([healthy.close(), away.close()]);
  });
});
