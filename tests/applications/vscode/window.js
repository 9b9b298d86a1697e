// The notebook's page in the window of VS Code with its real Jupyter extension; `scripts/vscode FILE.vsix` runs it.
//
// VS Code is code-server's, from npm. No package registry has the extension: its file is given. Its companion "Jupyter Notebook Renderers" brings the
// widget managers and require.js, which come from npm here (made by scripts/vscode). The kernel is one of a Jupyter server that serves /nbextensions
// as nbclassic does, since VS Code would get anywidget's script from a CDN otherwise.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ROOT, launch, tied } from "../../browser/demo.js";
import { startLab } from "../lab.js";
import { until } from "../support.js";
import { draws } from "./waves.js";

const { WSLINK_VSCODE: FETCHED, WSLINK_VSCODE_NODE: NODE } = process.env;
const GONE = "The kernel of this page has ended. Run the cell again.";
const SETTINGS = {
  "chat.disableAIFeatures": true, "extensions.autoCheckUpdates": false, "extensions.autoUpdate": false, "git.enabled": false, "security.workspace.trust.enabled": false,
  "telemetry.telemetryLevel": "off", "update.mode": "none", "workbench.secondarySideBar.defaultVisibility": "hidden", "workbench.startupEditor": "none",
};

/** Starts VS Code on a folder, and gives where it is served. */
async function startCode(folder, home) {
  await mkdir(join(home, "data/User"), { recursive: true });
  await writeFile(join(home, "data/User/settings.json"), JSON.stringify(SETTINGS));
  const own = ["--user-data-dir", join(home, "data"), "--extensions-dir", join(FETCHED, "extensions")];
  const quiet = ["--disable-telemetry", "--disable-update-check", "--disable-workspace-trust"];
  const proposed = ["ms-toolsai.jupyter", "ms-toolsai.jupyter-renderers"].flatMap((name) => ["--enable-proposed-api", name]);
  const options = [join(FETCHED, "code-server/out/node/entry.js"), "--auth", "none", "--bind-addr", "127.0.0.1:0", ...own, ...quiet, ...proposed, folder];
  const server = spawn(...tied(NODE, options), { env: { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home }, stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(server, "close");
  let log = "";
  const url = await new Promise((resolve, reject) => {
    for (const stream of [server.stdout, server.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        log += text;
        const found = /listening on (http:\S+)/.exec(log);
        if (found) resolve(found[1]);
      });
    }
    ended.then(([code]) => reject(new Error(`code-server ended with ${code}:\n${log}`)));
  });
  return { url: `${url}?folder=${encodeURIComponent(folder)}`, stop: () => (server.kill("SIGTERM"), ended) };
}

/** Opens a notebook as a person does, and connects it with a kernel of the Jupyter server. */
async function openNotebook(page, url, name, server) {
  await page.goto(url);
  await page.locator(".explorer-folders-view .monaco-list-row", { hasText: name }).waitFor();
  await page.keyboard.press("Control+p");
  await page.locator(".quick-input-widget input").first().fill(name);
  await page.locator(".quick-input-list .monaco-list-row", { hasText: name }).first().click();
  await page.getByText("Select Kernel").first().click();
  await page.locator(".quick-input-list").getByText("Existing Jupyter Server").click();
  await page.locator(".quick-input-widget", { hasText: "URL" }).waitFor();
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText(server);
  await page.keyboard.press("Enter");
  await page.locator(".quick-input-widget", { hasText: "Display Name" }).waitFor();
  await page.keyboard.press("Enter");
  await page.locator(".quick-input-list", { hasText: "Python 3" }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByText("Python 3 (ipykernel)").first().waitFor();
}

/** The frame that has what `selector` names. */
const frameWith = (page, selector) =>
  until(async () => {
    for (const frame of page.frames()) if (await frame.locator(selector).count().catch(() => 0)) return frame;
    return undefined;
  }, selector);

describe("the window of VS Code", { timeout: 240_000 }, () => {
  let lab, browser, code, home;

  before(async () => {
    home = await mkdtemp(join(tmpdir(), "wslink-vscode-"));
    process.env.PYTHONPATH = [process.env.PYTHONPATH, join(ROOT, "tests/applications/vscode")].filter(Boolean).join(":");
    [lab, browser] = await Promise.all([startLab("examples/notebook", ["--ServerApp.jpserver_extensions=nbextensions=True"]), launch()]);
    code = await startCode(lab.files, home);
  });

  after(async () => {
    await browser?.close();
    await code?.stop();
    await lab?.stop();
    await rm(home, { recursive: true, force: true, maxRetries: 3 });
  });

  test("shows a page that calls and listens, ends with its kernel, and comes again with the cell", async () => {
    const context = await browser.newContext({ viewport: { width: 1300, height: 1400 }, permissions: ["clipboard-read", "clipboard-write"] });
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    await openNotebook(page, code.url, "waves.ipynb", lab.url(""));
    const run = () => page.getByText("Run All", { exact: true }).first().click();
    await run();
    let frame = await frameWith(page, "#frequency");
    await draws(frame);

    await page.getByText("Restart", { exact: true }).first().click();
    await page.locator(".monaco-dialog-box").getByText("Restart", { exact: true }).click();
    const webview = await frameWith(page, "iframe[title=wslink]");
    await webview.getByText(GONE).and(webview.locator(":visible")).waitFor(); // VS Code tells its widgets nothing
    await frame.locator("#state", { hasText: "reconnecting" }).waitFor();

    await run();
    await webview.getByText(GONE).and(webview.locator(":visible")).waitFor({ state: "detached" });
    frame = await frameWith(page, "#frequency");
    await frame.locator("#state", { hasText: "open" }).waitFor();
    await frame.locator("#frequency").fill("3");
    await frame.locator("#tuned", { hasText: "3" }).waitFor();
    await context.close();
  });
});
