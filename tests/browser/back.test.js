// A page that is left and comes back as it was, out of the browser's cache of pages, goes on with its session.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { chromium } from "playwright-core";
import { CHROMIUM, FLAGS, serve, settled } from "./demo.js";

describe("back and forward", { timeout: 120_000 }, () => {
  let server, browser;

  before(async () => {
    server = await serve();
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS, ignoreDefaultArgs: ["--disable-back-forward-cache"] });
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  test("a page that comes back resumes its session", async () => {
    const page = await browser.newPage();
    page.setDefaultTimeout(60_000);
    await page.goto(server.url);
    await settled(page);
    const before = await page.evaluate(async () => {
      const { connect } = await import("/wslink/client.js");
      const link = await connect();
      window.kept = { link, returns: [] };
      link.addEventListener("reconnected", ({ detail }) => window.kept.returns.push(detail.resumed));
      return link.clientId;
    });
    await page.goto(new URL("/wslink/client.js", server.url).href);
    await page.waitForTimeout(500);
    await page.goBack({ waitUntil: "commit", timeout: 5_000 }).catch(() => {}); // a page that was kept is not loaded
    await page.waitForFunction(() => window.kept?.returns.length);
    assert.deepEqual(await page.evaluate(() => window.kept.returns), [true]);
    assert.equal(await page.evaluate(() => window.kept.link.clientId), before);
    assert.equal(await page.evaluate(() => window.kept.link.state), "open");
    await page.close();
  });
});
