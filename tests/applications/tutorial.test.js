// The tutorial on VTK in Chromium: its trame application, and its view without trame.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { ROOT, launch, start } from "../browser/demo.js";
import { changed, open, shown } from "./support.js";

const TUTORIAL = await readFile(join(ROOT, "docs/tutorials/vtk.md"), "utf8");
const blocks = (language) => [...TUTORIAL.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "gs"))].map(([, block]) => block);
const [viewer, scene, methods] = blocks("python");
const commands = blocks("bash").map((command) => command.trim());

/** Whether pixels show something bright on a dark ground. */
const cone = (values) => values.some((value) => value > 150) && values.some((value) => value < 30);

describe("the tutorial on VTK", { timeout: 180_000 }, () => {
  let browser, context, directory, server;

  before(async () => (browser = await launch()));
  after(() => browser?.close());
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "wslink-vtk-"));
    context = await browser.newContext({ viewport: { width: 900, height: 700 }, deviceScaleFactor: 1 });
  });
  afterEach(async () => {
    await context.close();
    await server.stop();
    await rm(directory, { recursive: true });
  });

  async function run(command) {
    const PATH = `${dirname(process.env.WSLINK_APPLICATIONS_PYTHON)}${delimiter}${process.env.PATH}`;
    const env = { ...process.env, PATH, VTK_DEFAULT_OPENGL_WINDOW: "vtkEGLRenderWindow", PYTHONUNBUFFERED: "1" };
    delete env.DISPLAY;
    server = await start("bash", ["-c", command.replace(/(\w+=\S+ )?python/, "$1 exec python")], { cwd: directory, env });
  }

  test("trame's application is shown, with clients in a thread of their own and the newest frame alone", async () => {
    const [plain, threaded, newest] = commands;
    const variables = [threaded, newest].map((command) => command.slice(0, -plain.length).trim());
    assert.deepEqual([threaded, newest], variables.map((variable) => `${variable} ${plain}`));
    await writeFile(join(directory, "viewer.py"), viewer);
    await run(`${variables.join(" ")} ${plain.replace("8080", "0")}`);
    const tab = await open(context, server.url);
    const view = tab.page.locator("main canvas");
    const before = await shown(tab, view, cone, "the cone on the screen");
    const slider = tab.page.locator(".v-slider-thumb");
    await slider.focus();
    await slider.press("End");
    await shown(tab, view, (now) => cone(now) && changed(before, now) > 0.001, "more sides");
    assert.deepEqual(tab.errors, []);
  });

  test("a view without trame turns, and its scene changes", async () => {
    await mkdir(join(directory, "www"));
    await writeFile(join(directory, "view.py"), `${scene}\n\n${methods.replace("port=8080", "port=0")}`);
    await writeFile(join(directory, "www", "index.html"), blocks("html")[0]);
    await run(commands[3]);
    const page = await context.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(server.url);
    const tab = { page };
    const view = page.locator("canvas");
    const before = await shown(tab, view, cone, "the cone on the screen");
    const { x, y } = await view.boundingBox();
    await page.mouse.move(x + 300, y + 300);
    await page.mouse.down();
    await page.mouse.move(x + 400, y + 340, { steps: 5 });
    await page.mouse.up();
    const turned = await shown(tab, view, (now) => cone(now) && changed(before, now) > 0.01, "another side");
    await page.getByRole("slider").fill("60");
    await shown(tab, view, (now) => cone(now) && changed(turned, now) > 0.001, "more sides");
    assert.deepEqual(errors, []);
  });
});
