// The list of applications in Chromium.

import assert from "node:assert/strict";
import { once } from "node:events";
import { rm, writeFile } from "node:fs/promises";
import { createServer, request as ask } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { launch } from "./demo.js";
import { TOKEN, launching, overview, program, until, waiting } from "./launcher.js";

const HOSTILE = `<img src="x" onerror="document.title='owned'"><script>document.title="owned"</script>`;
const PLACE = "in the queue, <b>position 1</b>";
const USERS = join(tmpdir(), `wslink-users-${process.pid}`);
const USER_TOKEN = "the-token-of-ada-0123";

// A session with a page of its own, which shows what it was started with.
const SERVING = `
import http.server, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = ("<!doctype html><title>A viewer</title><p>shows " + sys.argv[2]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Page)
print("it is ready", flush=True)
server.serve_forever()
`;

const apps = () => ({
  viewer: program(SERVING, "${port}", "${data}"),
  plain: waiting(),
  failing: program(`import sys; print(${JSON.stringify(HOSTILE)}); print('the reason'); sys.exit(3)`),
  queued: { cmd: ["-"], spawner: "command", options: { start: ["true"], poll: ["true"], stop: ["true"], waits: ["echo", PLACE] }, ready_line: "never" },
  [HOSTILE]: waiting(),
});

describe("the list of applications", { timeout: 300_000 }, () => {
  let launcher, browser, tabs;

  before(async () => {
    await writeFile(USERS, `ada ${USER_TOKEN}\n`);
    launcher = await launching(apps, {}, { content: "" });
    browser = await launch();
  });

  after(async () => {
    await rm(USERS, { force: true });
    // First, so that no viewer stays behind a browser that does not close.
    const { code, log } = (await launcher?.stop()) ?? {};
    await browser?.close();
    assert.equal(code, 0);
    assert.equal(log, "", "the launcher logged something");
  });

  afterEach(async () => {
    const open = tabs ?? [];
    tabs = undefined;
    for (const { page } of open) await page.context().close();
    assert.deepEqual(open.flatMap(({ errors }) => errors), []);
  });

  /** The page in a tab of its own. That a token is refused, or a session has no page, is no error of the page. */
  async function tab(url = launcher.url) {
    const page = await (await browser.newContext()).newPage();
    page.setDefaultTimeout(60_000);
    const errors = [];
    page.on("pageerror", (error) => errors.push(`page: ${error.message}`));
    page.on("console", (message) => {
      if (message.type() === "error" && !/status of (401|404|502)/.test(message.text())) errors.push(`console: ${message.text()}`);
    });
    (tabs ??= []).push({ page, errors });
    await page.goto(url);
    return page;
  }

  const card = (page, name) => page.locator("main form", { has: page.getByRole("heading", { name, exact: true }) });
  const begin = (page, name) => card(page, name).getByRole("button", { name: /^Start/ }).click();
  const stopAll = async () => {
    for (const { id } of (await overview(launcher)).sessions) await fetch(launcher.endpoint + id, { method: "DELETE", headers: { Authorization: `Bearer ${TOKEN}` } });
  };

  test("starts an application with a value, and leads to its page", async () => {
    const page = await tab();
    await card(page, "viewer").getByLabel("data").fill("the sea");
    await begin(page, "viewer");
    await page.getByText("shows the sea").waitFor();
    const [session] = (await overview(launcher)).sessions;
    assert.ok(page.url().startsWith(`${launcher.endpoint}session/${session.id}/`));
    await stopAll();
  });

  test("shows what programs connect to where a session has no page", async () => {
    const page = await tab();
    await begin(page, "plain");
    const told = card(page, "plain").locator(".session code");
    await told.waitFor();
    assert.match(await told.textContent(), new RegExp(`^${launcher.endpoint.replace("http", "ws")}session/[0-9a-f-]+/\\w+/ws$`));
    assert.equal(page.url(), launcher.url);
    await stopAll();
  });

  test("shows why one does not start, with the end of its log as text", async () => {
    const page = await tab();
    await begin(page, "failing");
    await card(page, "failing").locator("pre", { hasText: "the reason" }).waitFor();
    assert.equal(await card(page, "failing").locator("pre").textContent(), `${HOSTILE}\nthe reason\n`);
    assert.match(await card(page, "failing").getByRole("alert").textContent(), /^It did not start: .* Its exit code is 3\.$/);
    assert.equal(await card(page, "failing").getByRole("button", { name: /^Start/ }).isEnabled(), true);
  });

  test("shows as text whatever applications are called", async () => {
    const page = await tab();
    await card(page, HOSTILE).waitFor();
    assert.equal(await page.locator("main img, main script, main b").count(), 0);
    assert.equal(await page.title(), "Applications");
  });

  test("shows what a start waits for, and cancels it", async () => {
    const page = await tab();
    await begin(page, "queued");
    await card(page, "queued").getByRole("status").filter({ hasText: `It waits: ${PLACE}` }).waitFor();
    await card(page, "queued").getByRole("button", { name: "Cancel" }).click();
    await card(page, "queued").getByRole("alert").filter({ hasText: "it was cancelled" }).waitFor();
    await until(async () => (await overview(launcher)).sessions.length === 0, "the end of what was begun");
  });

  test("works below a path that a proxy puts before it", async () => {
    const proxy = createServer((incoming, outgoing) => {
      const { method, headers, url } = incoming;
      const target = new URL(url.replace(/^\/hub\/a/, ""), launcher.url);
      incoming.pipe(ask(target, { method, headers }, (answer) => answer.pipe(outgoing.writeHead(answer.statusCode, answer.headers))));
    }).listen(0, "127.0.0.1");
    await once(proxy, "listening");
    try {
      const page = await tab(`http://127.0.0.1:${proxy.address().port}/hub/a/`);
      await begin(page, "failing");
      await card(page, "failing").locator("pre", { hasText: "the reason" }).waitFor();
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });

  test("asks who it is where the launcher wants to know", async () => {
    const authentication = { type: "bearer", options: { token_file: USERS } };
    const other = await launching(apps, {}, { content: "", authentication, get: true, delete: true });
    try {
      const page = await tab(other.url);
      await page.getByLabel("Your token").fill("not-the-token-of-ada");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("alert").filter({ hasText: "This token is not accepted." }).waitFor();
      assert.equal(await page.locator("main form").count(), 0);
      await page.getByLabel("Your token").fill(USER_TOKEN);
      await page.getByRole("button", { name: "Sign in" }).click();
      await begin(page, "plain");
      await card(page, "plain").locator(".session code").waitFor();
      const [{ id, client }] = (await overview(other)).sessions;
      assert.equal(client, "ada");
      const kept = await page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }, document.cookie, document.body.innerHTML, location.href]));
      assert.ok(!kept.includes(USER_TOKEN));
      // Who comes back finds it, and may open and end it.
      const later = await tab(other.url);
      await later.getByLabel("Your token").fill(USER_TOKEN);
      await later.getByRole("button", { name: "Sign in" }).click();
      await later.getByRole("button", { name: /^Open plain, since/ }).click();
      await later.locator("#own .session code", { hasText: id }).waitFor();
      await later.getByRole("button", { name: /^End plain, since/ }).click();
      await later.getByRole("heading", { name: "Your sessions" }).waitFor({ state: "hidden" });
      assert.deepEqual((await overview(other)).sessions, []);
    } finally {
      await other.stop();
    }
  });
});
