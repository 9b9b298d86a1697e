// PyVista's viewer in Chromium: its picture arrives, and follows the mouse and the viewer's own buttons.

import assert from "node:assert/strict";
import { test } from "node:test";
import { launch } from "../browser/demo.js";
import { changed, open, serve, shown } from "./support.js";

/** Whether pixels show a plot: several colours, where a page that waits has one. */
const plot = (values) => new Set(values.map((value) => value >> 4)).size > 6;

test("PyVista's viewer shows a picture that follows the camera", { timeout: 180_000 }, async (t) => {
  const server = await serve("pyvista_viewer");
  let stopped;
  t.after(async () => stopped ?? (await server.stop()));
  const browser = await launch();
  t.after(() => browser.close());
  const tab = await open(await browser.newContext({ viewport: { width: 900, height: 480 }, deviceScaleFactor: 1 }), server.url);
  const view = tab.page.locator("main canvas");
  const before = await shown(tab, view, plot, "the plot on the screen");
  const frames = tab.frames.length;
  assert.ok(frames > 0);

  const { x, y, width, height } = await view.boundingBox();
  await tab.page.mouse.move(x + width / 2, y + height / 2);
  await tab.page.mouse.down();
  await tab.page.mouse.move(x + width / 2 + 150, y + height / 2 + 90, { steps: 5 });
  await tab.page.mouse.up();
  await shown(tab, view, (now) => plot(now) && changed(before, now) > 0.02, "another picture after the drag");
  assert.ok(tab.frames.length > frames);
  assert.deepEqual(tab.errors, []);

  stopped = await server.stop();
  assert.deepEqual(stopped, { code: 0, log: "" });
});
