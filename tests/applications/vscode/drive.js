// The notebook's page in Chromium, shown by VS Code's own widget manager on a real kernel; scripts/vscode runs it.
//
// Of VS Code itself there is the widget manager of its Jupyter extension (npm: @vscode/jupyter-ipywidgets8). The glue around it (webview.js) stands in for
// the extension, which no package registry has, and is made like it: no window above, AMD modules, the kernel's messages from a process outside.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ROOT, launch } from "../../browser/demo.js";
import { startLab } from "../lab.js";
import { draws } from "./waves.js";

const { WebSocket } = createRequire(join(ROOT, "js/package.json"))("ws");
const FETCHED = process.env.WSLINK_VSCODE ?? join(ROOT, ".cache/vscode");
const HERE = join(ROOT, "tests/applications/vscode");
const FILES = {
  "webview.js": join(HERE, "webview.js"),
  "services.js": join(FETCHED, "services.js"),
  "require.js": join(FETCHED, "node_modules/requirejs/require.js"),
  "ipywidgets8.js": join(FETCHED, "node_modules/@vscode/jupyter-ipywidgets8/dist/ipywidgets.js"),
  "anywidget.js": join(process.env.WSLINK_APPLICATIONS_PYTHON ?? "", "../../share/jupyter/nbextensions/anywidget/index.js"),
};

/** What VS Code adds to notebooks where its setting notebook.experimental.enableCsp is on; it is off unless somebody sets it. */
const POLICY = [
  "default-src 'none'", "script-src OWN 'unsafe-inline' 'unsafe-eval'", "style-src OWN 'unsafe-inline'", "img-src OWN https: http: data:",
  "font-src OWN https:", "connect-src https:", "child-src https: data:",
].join("; ").replaceAll("OWN", "'self' https://*.vscode-cdn.net");

const webview = (policy) => `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">${policy && `<meta http-equiv="Content-Security-Policy" content="${policy}">`}
<div id="container"></div><script>window.parent = window; window.top = window; window.frameElement = null;</script>
<script src="require.js"></script><script src="services.js"></script><script src="webview.js"></script>
<script type="module">import { activate } from "./ipywidgets8.js"; activate(); globalThis.ready = true;</script>`;

async function answer({ url }, response) {
  const name = url.slice(1);
  if (["plain", "strict"].includes(name)) return response.setHeader("Content-Type", "text/html").end(webview(name === "strict" ? POLICY : ""));
  const file = FILES[name.endsWith(".js") ? name : `${name}.js`];
  return file ? response.setHeader("Content-Type", "text/javascript").end(await readFile(file)) : response.writeHead(404).end();
}

describe("VS Code's widget manager", { timeout: 120_000 }, () => {
  let lab, browser, server, cells;

  before(async () => {
    server = createServer((request, response) => void answer(request, response));
    server.listen(0, "127.0.0.1");
    [lab, browser] = await Promise.all([startLab("examples/notebook"), launch(), once(server, "listening")]);
    const notebook = JSON.parse(await readFile(join(lab.files, "waves.ipynb"), "utf8"));
    cells = notebook.cells.filter(({ cell_type }) => cell_type === "code").map(({ source }) => source.join(""));
  });

  after(async () => {
    await browser?.close();
    await lab?.stop();
    server.close();
  });

  /** A webview with a kernel of its own. */
  async function open(t, name) {
    const { id } = await (await fetch(lab.url("api/kernels"), { method: "POST" })).json();
    const socket = new WebSocket(`${lab.url(`api/kernels/${id}/channels`).replace("http", "ws")}&session_id=${id}`);
    await once(socket, "open");
    t.after(() => socket.close());
    const page = await browser.newPage();
    const errors = [];
    page.on("pageerror", ({ message }) => errors.push(message));
    await page.exposeFunction("toKernel", (binary, data) => socket.send(binary ? Buffer.from(data, "base64") : data));
    socket.on("message", (data, binary) =>
      page.evaluate(([kind, text]) => globalThis.fromKernel(kind, text), [binary, data.toString(binary ? "base64" : "utf8")]).catch(() => {}),
    );
    await page.goto(`http://127.0.0.1:${server.address().port}/${name}`);
    await page.waitForFunction(() => globalThis.ready);
    await page.evaluate((given) => globalThis.startWidgets(given, given), id);
    const run = (code) => page.evaluate((text) => globalThis.runCell(text), code);
    await run(`import os; os.chdir(${JSON.stringify(lab.files)})`);
    return { page, errors, run };
  }

  test("shows a page that calls, listens and has its styles", async (t) => {
    const { page, errors, run } = await open(t, "plain");
    for (const cell of cells) assert.deepEqual(await run(cell), []);
    const frame = page.frameLocator("iframe[title=wslink]");
    await draws(frame);
    assert.deepEqual(errors, []);
    assert.deepEqual(await page.evaluate(() => globalThis.violations), []);
  });

  test("loads no widget of anywidget's under the policy that VS Code can be told to have", async (t) => {
    const { page, run } = await open(t, "strict");
    await run(cells[0]);
    assert.notDeepEqual(await run(cells[1]), []);
    const violations = await page.evaluate(() => globalThis.violations);
    assert.ok(violations.includes("script-src-elem blob"), String(violations));
  });
});
