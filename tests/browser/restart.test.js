// The demo outlives its server, and a line that is cut.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { dragSun, launch, open, serve, settled } from "./demo.js";

describe("the demo whose server is restarted", { timeout: 300_000 }, () => {
  let server, browser;

  before(async () => {
    server = await serve();
    browser = await launch();
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  test("says that it reconnects, and goes on with what the new server has", async () => {
    const context = await browser.newContext({ viewport: { width: 960, height: 640 }, deviceScaleFactor: 1 });
    const { page, errors } = await open(context, server.url);
    await dragSun(page, 135, 30);
    await settled(page);
    const { port } = new URL(server.url);
    await server.stop();
    await page.getByText("Reconnecting").waitFor();
    server = await serve("terrain", undefined, port);
    await page.getByText("Connected").waitFor();
    await settled(page);
    // The new server's light is its own, and turns when it is asked to.
    assert.equal(await page.evaluate(() => window.demo.shown.light), 0);
    await dragSun(page, 45, 30);
    await settled(page);
    assert.equal(await page.evaluate(() => window.demo.shown.light > 0), true);
    assert.deepEqual(errors.filter((error) => !error.includes("WebSocket connection to")), []);
    await context.close();
  });
});
