// launch() and ProcessLauncher in pages of a real launcher, in Chromium.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ROOT, launch } from "./demo.js";
import { PYTHON, launching, overview, program, queued, until } from "./launcher.js";

const SERVER = "from wslink import App; app = App(secret=SECRET); app.method('add')(lambda one, two: one + two); app.run(port=PORT)";
const serving = SERVER.replace("SECRET", "__import__('sys').argv[2]").replace("PORT", "int(__import__('sys').argv[1])");
const apps = (folder) => ({
  viewer: queued(folder, [PYTHON, "-c", serving, "${port}", "${secret}"]),
  failing: program("import sys; print('the reason'); sys.exit(3)"),
  slow: program("import time; time.sleep(300)"),
});

const PAGE = `<!doctype html>
<title>A page</title>
<ol></ol>
<button>Cancel</button>
<script src="wslink.js"></script>
<script type="module">
  import { connect, launch } from "./wslink/client.js";
  const application = new URLSearchParams(location.search).get("application");
  const cancel = new AbortController();
  document.querySelector("button").onclick = () => cancel.abort(new Error("the user left"));
  const show = (text) => document.querySelector("ol").appendChild(document.createElement("li")).append(text);
  const onProgress = (progress) => show(progress.state === "waiting" ? \`waiting: \${progress.for}\` : progress.state);
  try {
    const session = await launch("lab/viewers/", { application }, { onProgress, signal: cancel.signal });
    const link = await connect(session);
    show(\`1 + 2 = \${await link.call("add", [1, 2])}\`);
  } catch (error) {
    show(\`\${error.name}: \${error.message} (\${error.status}, \${error.exitCode}, \${error.log})\`);
  }
</script>`;

describe("launch() in a browser", { timeout: 300_000 }, () => {
  let launcher, browser;

  before(async () => {
    const script = await readFile(join(ROOT, "js", "dist", "wslink.js"));
    launcher = await launching(apps, { "index.html": PAGE, "empty.html": '<!doctype html><script src="wslink.js"></script>', "wslink.js": script });
    browser = await launch();
  });

  after(async () => {
    // First, so that no viewer stays behind a browser that does not close.
    const { code, log } = (await launcher?.stop()) ?? {};
    await browser?.close();
    assert.equal(code, 0);
    assert.equal(log, "", "the launcher logged something");
  });

  async function open(path) {
    const page = await browser.newPage();
    page.setDefaultTimeout(60_000);
    await page.goto(launcher.url + path);
    return page;
  }

  const lines = (page) => page.locator("li").allTextContents();
  const nothingRuns = () => until(async () => (await overview(launcher)).free_ports === 10, "all ports free");
  const aStart = () => until(async () => (await overview(launcher)).sessions.some(({ state }) => state === "starting"), "a start");

  test("shows how far a start is, and connects", async () => {
    const page = await open("?application=viewer");
    await page.locator("li", { hasText: "1 + 2" }).waitFor();
    const seen = (await lines(page)).filter((line) => line !== "waiting: "); // where it was asked once more before it was ready
    assert.deepEqual(seen, ["starting", "waiting: in the queue, <b>position 1</b>", "ready", "1 + 2 = 3"]);
    await page.close();
  });

  test("says why a session does not start", async () => {
    const page = await open("?application=failing");
    await page.locator("li", { hasText: "LaunchError" }).waitFor();
    const [first, state, error] = await lines(page);
    assert.deepEqual([first, state], ["starting", "failed"]);
    assert.match(error, /^LaunchError: The process did not properly start.* \(503, 3, the reason\n\)$/);
    await page.close();
  });

  for (const [what, leave] of [
    ["is cancelled", (page) => page.getByRole("button").click()],
    ["is closed", (page) => page.close()],
  ]) {
    test(`a page that ${what} leaves nothing behind`, async () => {
      const { free_ports: before } = await overview(launcher);
      const page = await open("?application=slow");
      await aStart();
      await leave(page);
      await until(async () => (await overview(launcher)).free_ports === before, "the end of what was begun");
      if (what === "is cancelled") {
        await page.locator("li", { hasText: "the user left" }).waitFor();
        await page.close();
      }
    });
  }

  test("ProcessLauncher tells the same, and its answers are those of released clients", async () => {
    const page = await open("empty.html");
    const run = (application, watch) =>
      page.evaluate(
        ([name, watched]) =>
          new Promise((resolve) => {
            const launching = globalThis.wslink.ProcessLauncher.newInstance({ endPoint: "lab/viewers" });
            const seen = [];
            if (watched) launching.onProgress((progress) => seen.push(progress));
            launching.onProcessReady((session) => resolve({ seen, session }));
            launching.onError((request) => resolve({ seen, status: request.status, response: request.response }));
            launching.start({ application: name });
          }),
        [application, watch],
      );
    const [silent, told] = [await run("failing", false), await run("failing", true)];
    assert.deepEqual([silent.seen, told.seen], [[], [{ state: "starting" }]]);
    assert.deepEqual([told.status, told.response], [silent.status, silent.response]);
    assert.deepEqual([told.status, told.response.exitCode, told.response.log], [503, 3, "the reason\n"]);
    const started = await run("viewer", true);
    assert.deepEqual(Object.keys(started.session).sort(), ["id", "secret", "sessionURL"]);
    assert.ok(started.seen.some(({ state }) => state === "waiting"));
    await page.close();
  });
});
