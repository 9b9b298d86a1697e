// The trame example in Chromium: state, rendered frames, binary both ways, several pages.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, describe, test } from "node:test";
import { launch } from "../browser/demo.js";
import { changed, open, serve, shown } from "./support.js";

/** Whether pixels show the scene: its dark blue ground, and something bright on it. */
const scene = (values) => values[0] < 60 && values[2] > 80 && values.some((value, i) => i % 3 === 0 && value > 120);

describe("the trame example in a browser", { timeout: 300_000 }, () => {
  let server, browser, context, tabs;

  before(async () => {
    server = await serve("trame_vtk");
    browser = await launch();
  });

  after(async () => {
    await browser?.close();
    const { code, log } = (await server?.stop()) ?? {};
    assert.equal(code, 0);
    assert.equal(log, "", "the application logged something");
  });

  async function tab() {
    context ??= await browser.newContext({ viewport: { width: 900, height: 480 }, deviceScaleFactor: 1 });
    const opened = await open(context, server.url);
    (tabs ??= []).push(opened);
    await opened.page.locator("#count").waitFor();
    opened.view = opened.page.locator("main canvas");
    return opened;
  }

  afterEach(async () => {
    const errors = (tabs ?? []).flatMap((opened) => opened.errors);
    await context?.close();
    context = tabs = undefined;
    assert.deepEqual(errors, []);
  });

  const clicks = async ({ page }) => Number(/\d+/.exec(await page.locator("#count").textContent())[0]);
  const counts = ({ page }, number) => page.locator("#count", { hasText: `Clicked ${number} times` }).waitFor();
  const rendered = (opened) => shown(opened, opened.view, scene, "the cone on the screen");
  const differs = (opened, values, what) => shown(opened, opened.view, (now) => scene(now) && changed(values, now) > 0.01, what);

  async function drag({ page, view }) {
    const { x, y, width, height } = await view.boundingBox();
    await page.mouse.move(x + width / 2, y + height / 2);
    await page.mouse.down();
    await page.mouse.move(x + width / 2 + 150, y + height / 2 + 90, { steps: 5 });
    await page.mouse.up();
  }

  test("a click changes Python's state, and the page shows it", async () => {
    const one = await tab();
    const count = await clicks(one);
    for (const number of [count + 1, count + 2]) {
      await one.page.locator("#count").click();
      await counts(one, number);
    }
    assert.equal(one.sockets.length, 1);
    assert.equal(await one.page.title(), "Cone");
  });

  test("a rendered frame arrives, and others when the camera moves", async () => {
    const one = await tab();
    const before = await rendered(one);
    const frames = one.frames.length;
    assert.ok(frames > 0);
    await drag(one);
    const turned = await differs(one, before, "another picture after the drag");
    assert.ok(one.frames.length > frames);
    await one.page.mouse.wheel(0, 600);
    const far = await differs(one, turned, "another picture after the wheel");
    await one.page.locator("#reset").click();
    await differs(one, far, "another picture after the reset");
  });

  test("the slider is bound to what Python renders", async () => {
    const one = await tab();
    const before = await rendered(one);
    await one.page.getByRole("slider").focus();
    await one.page.keyboard.press("Home"); // three sides
    await differs(one, before, "a cone of another resolution");
    const two = await tab();
    assert.equal(await two.page.getByRole("slider").getAttribute("aria-valuenow"), "3");
  });

  test("a file is uploaded and downloaded as binary", async () => {
    const one = await tab();
    const buffer = randomBytes(12 << 20); // more than one chunk of the 10 MB that trame sets
    const digest = createHash("sha256").update(buffer).digest("hex").slice(0, 8);
    await one.page.locator("#upload").setInputFiles({ name: "noise.bin", mimeType: "application/octet-stream", buffer });
    await one.page.locator("#note", { hasText: `noise.bin: ${buffer.length} bytes, SHA-256 ${digest}` }).waitFor();
    const arriving = one.page.waitForEvent("download");
    await one.page.locator("#download").click();
    const download = await arriving;
    assert.equal(download.suggestedFilename(), "copy.bin");
    assert.ok((await readFile(await download.path())).equals(buffer.reverse()));
  });

  test("two pages share state and picture", async () => {
    const [one, two] = [await tab(), await tab()];
    const count = await clicks(one);
    await counts(two, count);
    await one.page.locator("#count").click();
    await counts(two, count + 1);
    await two.page.locator("#count").click();
    await counts(one, count + 2);
    await rendered(one);
    await drag(one); // VTK publishes a picture when a view has changed: now both pages have had one since they came
    const before = await rendered(two);
    await drag(one);
    await differs(two, before, "the second page follows the first one's camera");
  });

  test("a reload finds the same state and a picture again", async () => {
    const one = await tab();
    const count = (await clicks(one)) + 1;
    await one.page.locator("#count").click();
    await counts(one, count);
    await rendered(one);
    const frames = one.frames.length;
    await one.page.reload();
    await counts(one, count);
    await rendered(one);
    assert.ok(one.frames.length > frames);
    assert.equal(one.sockets.length, 2);
    await one.page.locator("#count").click();
    await counts(one, count + 1);
    // The page that leaves may still call on the connection that it has closed.
    one.errors = one.errors.filter((error) => !error.includes("connection not open"));
  });
});
