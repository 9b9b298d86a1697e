// VTK's own web layer and vtk.js, both as released, over this project: examples/vtk_remote.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { ROOT, launch, serve } from "../browser/demo.js";

const VIEW = { width: 500, height: 400 };

describe("vtk.js shows what VTK renders in Python", { timeout: 180_000 }, () => {
  let server, browser, page, errors;

  before(async () => {
    server = await serve("vtk_remote", process.env.WSLINK_APPLICATIONS_PYTHON);
    browser = await launch();
  });

  after(async () => {
    await browser?.close();
    const { code, log } = (await server?.stop()) ?? {};
    assert.equal(code, 0, log);
  });

  beforeEach(async () => {
    page = await browser.newPage({ viewport: VIEW, deviceScaleFactor: 1 });
    page.setDefaultTimeout(60_000);
    errors = [];
    page.on("pageerror", (error) => errors.push(`page: ${error.message}`));
    page.on("console", (message) => message.type() === "error" && errors.push(`console: ${message.text()}`));
  });

  afterEach(async () => {
    await page.close();
    assert.deepEqual(errors, []);
  });

  /** Resolves with the picture once it has come to rest: it stays as it is for a while. */
  async function picture() {
    let last;
    for (let rest = 0; rest < 3; ) {
      await page.waitForTimeout(250);
      const now = await page.evaluate(() => document.querySelector("#view img")?.src);
      rest = now && now === last ? rest + 1 : 0;
      last = now;
    }
    return page.evaluate(async () => {
      const image = document.querySelector("#view img");
      await image.decode();
      const { naturalWidth: width, naturalHeight: height } = image;
      // A fifth of its size will do.
      const canvas = Object.assign(document.createElement("canvas"), { width: 100, height: 80 }).getContext("2d");
      canvas.drawImage(image, 0, 0, 100, 80);
      const { data } = canvas.getImageData(0, 0, 100, 80);
      return { width, height, pixels: Array.from(data.filter((_, index) => index % 4 < 3)) };
    });
  }

  const status = () => page.evaluate(() => document.querySelector("#status").value);
  const frames = async () => Number.parseInt(await status());

  test("is built with this package in place of wslink", async () => {
    const folder = `${ROOT}examples/vtk_remote/page/dist/assets/`;
    const [script] = (await readdir(folder)).filter((name) => name.endsWith(".js"));
    const source = await readFile(folder + script, "utf8");
    assert.match(source, /was not called: the connection is not open/, "a sentence of ours");
    assert.doesNotMatch(source, /unsuccessful: connection not open/, "and none of npm 2.5.0's");
  });

  test("a rendered frame arrives", async () => {
    await page.goto(server.url);
    const { width, height, pixels } = await picture();
    assert.deepEqual([width, height], [VIEW.width, VIEW.height]);
    assert.ok(blue(pixels) > 0.05, `${blue(pixels)} of the pixels are the cone's`);
    assert.ok(blue(pixels) < 0.6);
  });

  test("the mouse turns the camera", async () => {
    await page.goto(server.url);
    const still = await picture();
    const count = await frames();
    await page.mouse.move(250, 200);
    await page.mouse.down();
    for (let step = 1; step <= 10; step++) {
      await page.mouse.move(250 + 12 * step, 200 + 6 * step);
      await page.waitForTimeout(30);
    }
    await page.mouse.up();
    const turned = await picture();
    assert.ok((await frames()) > count + 1, "frames arrive while it turns");
    assert.ok(changed(still.pixels, turned.pixels) > 0.02, `${changed(still.pixels, turned.pixels)} of the picture changed`);
    assert.ok(blue(turned.pixels) > 0.02);
  });

  test("the wheel brings it nearer", async () => {
    await page.goto(server.url);
    const far = await picture();
    await page.mouse.move(250, 200);
    for (let turn = 0; turn < 3; turn++) await page.mouse.wheel(0, -200);
    const near = await picture();
    assert.ok(changed(far.pixels, near.pixels) > 0.02);
  });

  test("a call of the page's own changes the scene", async () => {
    await page.goto(server.url);
    const few = await picture();
    await page.locator("#sides").fill("3");
    const fewer = await picture();
    assert.ok(changed(few.pixels, fewer.pixels) > 0.005, `${changed(few.pixels, fewer.pixels)} of the picture changed`);
    await page.locator("#sides").fill("6");
    await picture();
  });

  test("two pages see one scene", async () => {
    await page.goto(server.url);
    await picture();
    const other = await browser.newPage({ viewport: VIEW, deviceScaleFactor: 1 });
    await other.goto(server.url);
    await other.waitForFunction(() => parseInt(document.querySelector("#status").value) > 0);
    const count = await frames();
    await other.locator("#sides").fill("20");
    await page.waitForFunction((before) => parseInt(document.querySelector("#status").value) > before, count);
    await other.close();
  });

  test("a wrong secret shows nothing", async () => {
    await page.goto(`${server.url}index.html?secret=wrong`);
    await page.waitForFunction(() => document.querySelector("#status").value === "no connection");
    errors.splice(0); // the page logs why
  });
});

/** The share of pixels of the cone's hue. */
function blue(pixels) {
  let count = 0;
  for (let i = 0; i < pixels.length; i += 3) if (pixels[i + 2] > pixels[i] + 40) count += 1;
  return count / (pixels.length / 3);
}

/** The share of values that differ visibly. */
function changed(a, b) {
  return a.filter((value, i) => Math.abs(value - b[i]) > 12).length / a.length;
}
