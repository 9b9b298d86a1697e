// A JupyterLab of its own, and notebooks in it that Chromium runs.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../browser/demo.js";

const TOKEN = "of-this-test";
const PATIENCE = 60_000; // milliseconds; a busy machine is no failure

/** Starts JupyterLab in a copy of `directory`, which is below the project. `url(path)` leads to a page of it, and `files` is the copy. */
export async function startLab(directory, more = []) {
  const python = process.env.WSLINK_APPLICATIONS_PYTHON;
  if (!python) throw new Error("WSLINK_APPLICATIONS_PYTHON must name a Python that has JupyterLab and anywidget; scripts/test applications sets it");
  const home = await mkdtemp(join(tmpdir(), "wslink-lab-"));
  await cp(join(ROOT, directory), join(home, "files"), { recursive: true });
  const options = ["--no-browser", "--port=0", `--IdentityProvider.token=${TOKEN}`, "--ServerApp.root_dir=files", "--allow-root"];
  const own = { JUPYTER_CONFIG_DIR: home, JUPYTER_DATA_DIR: home, JUPYTER_RUNTIME_DIR: home, IPYTHONDIR: home, JUPYTERLAB_SETTINGS_DIR: home };
  const quiet = ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"];
  await mkdir(join(home, "@jupyterlab/apputils-extension"), { recursive: true });
  await writeFile(join(home, "@jupyterlab/apputils-extension/notification.jupyterlab-settings"), '{ "fetchNews": "false" }');
  const server = spawn(python, ["-m", "jupyterlab", ...options, ...quiet, ...more], { cwd: home, env: { ...process.env, ...own }, stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  const ended = once(server, "close");
  const address = await new Promise((resolve, reject) => {
    server.stderr.setEncoding("utf8").on("data", (text) => {
      log += text;
      const found = /(http:\/\/(?:127\.0\.0\.1|localhost):\d+\/)lab/.exec(log);
      if (found) resolve(found[1]);
    });
    ended.then(([code]) => reject(new Error(`JupyterLab ended with ${code}:\n${log}`)));
  });
  return {
    files: join(home, "files"),
    url: (path) => `${address}${path}?token=${TOKEN}`,
    log: () => log,
    async stop() {
      server.kill("SIGTERM"); // this process alone, by its id; it ends its kernels
      await ended;
      await rm(home, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** Opens a notebook in JupyterLab; its kernel has started when this returns. */
export async function openNotebook(context, lab, name) {
  // A workspace of its own: JupyterLab opens again what was open in another test's.
  const page = await opened(context, lab.url(`lab/workspaces/${name.replaceAll(/\W/g, "-")}/tree/${name}`));
  await page.getByText("Python 3 (ipykernel) | Idle").waitFor();
  return page;
}

/** Opens a notebook in Notebook 7, which the same server has. Its kernel is starting. */
export const openClassic = (context, lab, name) => opened(context, lab.url(`notebooks/${name}`));

async function opened(context, url) {
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.goto(url);
  await page.locator(".jp-Notebook .jp-CodeCell").first().waitFor();
  return page;
}

/** Runs every cell from the first. */
export async function runAll(page) {
  await page.getByRole("menuitem", { name: "Run", exact: true }).click();
  await page.getByRole("menuitem", { name: /^Run All Cells/ }).click();
}

/** Restarts the kernel. */
export async function restart(page) {
  await page.getByRole("menuitem", { name: "Kernel", exact: true }).click();
  await page.getByRole("menuitem", { name: /^Restart Kernel…/ }).first().click();
  await page.locator(".jp-Dialog button.jp-mod-accept").click();
}
