// Pages in a real JupyterLab: an App's over the kernel's own channel, and trame's behind jupyter-server-proxy.

import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ROOT, launch } from "../browser/demo.js";
import { openClassic, openNotebook, restart, runAll, startLab } from "./lab.js";
import { open, serve } from "./support.js";

const GONE = "The kernel of this page has ended. Run the cell again.";

/** The tutorial's cells as a notebook, and its page. */
async function tutorial() {
  const text = await readFile(join(ROOT, "docs/tutorials/notebook.md"), "utf8");
  const blocks = (language) => [...text.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "gs"))].map(([, block]) => block);
  const cell = (source, id) => ({ cell_type: "code", execution_count: null, id: `cell-${id}`, metadata: {}, outputs: [], source });
  const notebook = (cells) => JSON.stringify({ cells, metadata: { kernelspec: { display_name: "Python 3", language: "python", name: "python3" } }, nbformat: 4, nbformat_minor: 5 });
  return { notebook: notebook(blocks("python").map(cell)), page: blocks("html")[0] };
}

/** How many of the canvas's pixels are drawn on, and a number that changes with what is drawn. */
const drawing = (frame) =>
  frame.locator("#wave").evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let [count, sum] = [0, 0];
    for (let i = 3; i < data.length; i += 4) if (data[i] > 0) [count, sum] = [count + 1, (sum * 31 + i) % 1_000_003];
    return { count, sum };
  });

describe("JupyterLab", { timeout: 180_000 }, () => {
  let lab, browser;

  before(async () => {
    [lab, browser] = await Promise.all([startLab("examples/notebook"), launch()]);
  });

  after(async () => {
    await browser?.close();
    await lab?.stop();
  });

  test("shows a page that calls and listens over the kernel's channel, ends with its kernel, and comes again with the cell", async () => {
    const context = await browser.newContext({ viewport: { width: 1100, height: 900 } });
    const sockets = [];
    const asked = [];
    const errors = [];
    context.on("page", (page) => page.on("websocket", (socket) => sockets.push(new URL(socket.url()).pathname)));
    context.on("request", (request) => asked.push(request.url()));
    const page = await openNotebook(context, lab, "waves.ipynb");
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") errors.push(message.text());
    });
    const frame = page.frameLocator("iframe[title=wslink]");
    const state = (text) => frame.locator("#state", { hasText: text }).waitFor();

    await runAll(page);
    await state("open");
    await frame.locator("#frequency").fill("5");
    await frame.locator("#tuned", { hasText: "5" }).waitFor(); // the kernel's response
    await frame.locator("#wave").evaluate((canvas) => new Promise((resolve) => requestAnimationFrame(() => resolve(canvas))));
    const [first] = [await drawing(frame), await page.waitForTimeout(200)];
    const second = await drawing(frame);
    assert.ok(first.count > 500, "an array of the topic is drawn");
    assert.notEqual(second.sum, first.sum);

    // What the page is, and what it is not.
    const looked = await frame.locator("body").evaluate(async () => {
      const [style, missing, above] = await Promise.all(["style.css", "none.json", "../waves.ipynb"].map((name) => fetch(name)));
      let parents = "seen";
      try {
        void parent.document.cookie;
      } catch {
        parents = "hidden";
      }
      return [style.status, style.headers.get("content-type"), missing.status, above.status, parents, getComputedStyle(document.body).marginTop];
    });
    assert.deepEqual(looked, [200, "text/css", 404, 404, "hidden", "12px"]);
    assert.deepEqual(sockets.filter((path) => !path.startsWith("/api/")), [], "no other connection is opened");
    assert.deepEqual(asked.filter((url) => url.includes("wslink.invalid")), [], "nothing is asked of the name that stands for the page's origin");
    assert.deepEqual(errors, []);

    await restart(page);
    await page.getByText(GONE).and(page.locator(":visible")).waitFor();
    await state("reconnecting");

    await page.getByText("Python 3 (ipykernel) | Idle").waitFor();
    await runAll(page);
    await page.getByText(GONE).and(page.locator(":visible")).waitFor({ state: "detached" });
    await state("open");
    await frame.locator("#frequency").fill("3");
    await frame.locator("#tuned", { hasText: "3" }).waitFor();
    await context.close();
  });

  test("shows the page in Notebook 7, too", async () => {
    const context = await browser.newContext({ viewport: { width: 1100, height: 900 } });
    const sockets = [];
    context.on("page", (page) => page.on("websocket", (socket) => sockets.push(new URL(socket.url()).pathname)));
    const page = await openClassic(context, lab, "waves.ipynb");
    await runAll(page);
    const frame = page.frameLocator("iframe[title=wslink]");
    await frame.locator("#state", { hasText: "open" }).waitFor();
    await frame.locator("#frequency").fill("4");
    await frame.locator("#tuned", { hasText: "4" }).waitFor();
    assert.ok((await drawing(frame)).count > 500, "an array of the topic is drawn");
    assert.deepEqual(sockets.filter((path) => !path.startsWith("/api/")), [], "no other connection is opened");
    await context.close();
  });

  test("shows the tutorial's page, what is picked there reaches the notebook, and what is computed there the page", async () => {
    const { notebook, page: html } = await tutorial();
    await mkdir(join(lab.files, "tutorial/www"), { recursive: true });
    await writeFile(join(lab.files, "tutorial/www/index.html"), html);
    await writeFile(join(lab.files, "tutorial/volume.ipynb"), notebook);
    const context = await browser.newContext({ viewport: { width: 1100, height: 1600 } });
    const page = await openNotebook(context, lab, "tutorial/volume.ipynb");
    await runAll(page); // nothing is picked yet, so the fourth cell fails
    await page.getByText("IndexError: list index out of range").first().waitFor();
    const frame = page.frameLocator("iframe[title=wslink]");
    const green = (row, column, test) =>
      frame.locator("canvas").evaluate(
        async (canvas, [y, x, least, most]) => {
          for (let tries = 0; tries < 300; tries++) {
            const [, value, blue] = canvas.getContext("2d").getImageData(x, y, 1, 1).data;
            if (blue === 60 && value >= least && value <= most) return value;
            await new Promise((resolve) => setTimeout(resolve, 50));
          }
          throw new Error("in vain");
        },
        [row, column, ...test],
      );
    await green(64, 64, [100, 120]);
    await frame.locator("input").fill("40");
    await green(64, 64, [80, 105]);
    await frame.locator("canvas").click({ position: { x: 64, y: 128 } });
    await frame.locator("output", { hasText: "0.2" }).waitFor();
    await green(64, 32, [20, 40]);

    await page.locator(".jp-CodeCell").nth(3).click();
    for (let cell = 0; cell < 3; cell++) await page.keyboard.press("Shift+Enter");
    await page.locator(".jp-OutputArea-output", { hasText: /^(np.int64\()?3[12]\)?$/ }).waitFor(); // where the profile is largest
    await page.locator(".jp-OutputArea-output", { hasText: /http:\/\/\S+:\d+/ }).first().waitFor();
    await green(64, 32, [0, 5]); // to the power of 4
    await context.close();
  });

  test("leads to an application of trame through jupyter-server-proxy", async (t) => {
    const server = await serve("tests.deployment.trame_app");
    t.after(() => server.stop());
    const context = await browser.newContext();
    const { port } = new URL(server.url);
    const [one, two] = [await open(context, lab.url(`proxy/${port}/`)), await open(context, lab.url(`proxy/${port}/index.html`))];
    const number = ({ page }, value) => page.locator("#number", { hasText: `The number is ${value}.` }).waitFor();
    await number(one, 41);
    await number(two, 41);
    await one.page.getByRole("button", { name: "Up" }).click();
    await Promise.all([number(one, 42), number(two, 42)]);
    for (const { sockets, errors } of [one, two]) {
      assert.deepEqual(sockets.map((url) => new URL(url).pathname), [`/proxy/${port}/ws`]);
      assert.deepEqual(errors, []);
    }
    await context.close();
  });
});
