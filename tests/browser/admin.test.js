// The administrator's page in Chromium.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request as ask } from "node:http";
import { after, afterEach, before, describe, test } from "node:test";
import { launch } from "./demo.js";
import { TOKEN, launching, overview, until, waiting } from "./launcher.js";

const HOSTILE = `<img src="x" onerror="document.title='owned'"><script>document.title="owned"</script>`;
const PLACE = "in the queue, <b>position 1</b>";
const apps = () => ({
  viewer: waiting("import os; print('pid', os.getpid())"),
  hostile: waiting(`print(${JSON.stringify(HOSTILE)})`),
  queued: { cmd: ["-"], spawner: "command", options: { start: ["true"], poll: ["true"], stop: ["true"], waits: ["echo", PLACE] }, ready_line: "never" },
});

describe("the administrator's page", { timeout: 300_000 }, () => {
  let launcher, browser, tabs;

  before(async () => {
    // Users are whom a trusted proxy names: a name may be anything.
    const authentication = { type: "header", options: { name: "X-User" } };
    launcher = await launching(apps, {}, { authentication });
    browser = await launch();
  });

  after(async () => {
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

  /** The page in a tab of its own. That a token is refused, or a proxy has gone, is no error of the page. */
  async function tab(url = `${launcher.endpoint}admin`) {
    const page = await (await browser.newContext()).newPage();
    page.setDefaultTimeout(60_000);
    const errors = [];
    page.on("pageerror", (error) => errors.push(`page: ${error.message}`));
    page.on("console", (message) => {
      if (message.type() === "error" && !/status of 404|ERR_CONNECTION_REFUSED/.test(message.text())) errors.push(`console: ${message.text()}`);
    });
    (tabs ??= []).push({ page, errors });
    await page.goto(url);
    return page;
  }

  async function signedIn(url) {
    const page = await tab(url);
    await signIn(page, TOKEN);
    await page.getByRole("table").waitFor();
    return page;
  }

  async function signIn(page, token) {
    await page.getByLabel("The administrator’s token").fill(token);
    await page.getByRole("button", { name: "Sign in" }).click();
  }

  async function start(application, user = "ada") {
    const response = await fetch(launcher.endpoint, { method: "POST", body: JSON.stringify({ application }), headers: { "X-User": user } });
    assert.equal(response.status, 200);
    return response.json();
  }

  const row = (page, { id }) => page.locator("tbody", { has: page.getByTitle(id) });
  const remove = ({ id }) => fetch(launcher.endpoint + id, { method: "DELETE", headers: { Authorization: `Bearer ${TOKEN}` } });

  test("shows nothing without the token", async () => {
    const session = await start("viewer");
    const page = await tab();
    assert.equal(page.url(), `${launcher.endpoint}admin/`);
    for (const token of ["the-administrators-toke", "ünïcode", session.id]) {
      await signIn(page, token);
      await page.getByRole("alert").filter({ hasText: "This token is not accepted." }).waitFor();
      assert.equal(await page.getByRole("table").count(), 0);
      assert.equal(await page.locator("tbody").count(), 0);
    }
    await signIn(page, TOKEN);
    await row(page, session).waitFor();
    // It is kept for this page alone: neither in its address nor where pages of the same origin could read it.
    assert.equal(page.url(), `${launcher.endpoint}admin/`);
    const kept = await page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }, document.cookie, document.body.innerHTML]));
    assert.ok(!kept.includes(TOKEN));
    await page.getByRole("button", { name: "Sign out" }).click();
    assert.equal(await page.locator("tbody").count(), 0);
    assert.equal(await page.getByLabel("The administrator’s token").inputValue(), "");
    await remove(session);
  });

  test("shows sessions as they come and go", async () => {
    const page = await signedIn();
    await page.getByText("There are no sessions.").waitFor();
    const session = await start("viewer", "grace");
    const shown = row(page, session);
    await shown.waitFor();
    const cells = Object.fromEntries(await shown.locator("[data-field]").evaluateAll((all) => all.map((cell) => [cell.dataset.field, cell.textContent])));
    assert.equal(cells.id, session.id.slice(0, 8));
    assert.deepEqual([cells.application, cells.state, cells.clients, cells.client], ["viewer", "ready", "0", "grace"]);
    assert.match(cells.memory, /^\d+(\.\d)? MiB$/);
    assert.match(cells.age, /^\d+ s$/);
    assert.match(cells.address, /^127\.0\.0\.1:\d+$/);
    assert.equal(await page.locator('[data-figure="sessions"]').textContent(), "1");
    assert.equal(await page.locator('[data-figure="free_ports"]').textContent(), "9");
    await remove(session);
    await shown.waitFor({ state: "detached" });
    await page.locator('[data-figure="sessions"]', { hasText: "0" }).waitFor();
  });

  test("shows as text whatever sessions write and people are called", async () => {
    const user = "<b onclick=alert(1)>mallory</b>";
    const session = await start("hostile", user);
    const page = await signedIn();
    await page.getByRole("button", { name: `Log of hostile, session ${session.id.slice(0, 8)}` }).click();
    await page.locator("pre", { hasText: HOSTILE }).waitFor();
    assert.equal(await row(page, session).locator('[data-field="client"]').textContent(), user);
    assert.equal(await page.locator("main img, main script, main b").count(), 0);
    assert.equal(await page.title(), "Launcher");
    await remove(session);
  });

  test("shows what a session waits for, and stops it meanwhile", async () => {
    const body = JSON.stringify({ application: "queued" });
    const starting = fetch(launcher.endpoint, { method: "POST", body, headers: { "X-User": "ada" } });
    const page = await signedIn();
    const line = page.locator("tbody", { hasText: "queued" });
    await line.locator(".waits", { hasText: PLACE }).waitFor();
    assert.equal(await line.locator('[data-field="state"]').textContent(), "starting");
    assert.equal(await line.locator('[data-field="memory"]').textContent(), "–");
    await line.getByRole("button", { name: "Stop" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Stop" }).click();
    await line.waitFor({ state: "detached" });
    const answer = await starting;
    assert.deepEqual([answer.status, (await answer.json()).error], [503, "The session was stopped: the administrator asked for it."]);
  });

  test("a log is followed while it is open", async () => {
    const session = await start("viewer");
    const page = await signedIn();
    const log = row(page, session).getByRole("button", { name: /^Log/ });
    await log.click();
    assert.equal(await log.getAttribute("aria-expanded"), "true");
    await page.locator("pre", { hasText: /^pid \d+\nit is ready\n$/ }).waitFor();
    await log.click();
    assert.equal(await page.locator("pre").isVisible(), false);
    await remove(session);
  });

  test("the stop button ends the session's process, with the keyboard alone", async () => {
    const [session, other] = [await start("viewer"), await start("viewer")];
    const page = await signedIn();
    const buttons = row(page, session).getByRole("button");
    await buttons.first().press("Enter");
    const text = await page.locator("pre", { hasText: "pid" }).textContent();
    const pid = Number(/pid (\d+)/.exec(text)[1]);
    process.kill(pid, 0); // it runs
    await buttons.last().press("Enter");
    await page.getByRole("dialog", { name: "Stop this session?" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    process.kill(pid, 0);
    await buttons.last().press("Enter");
    await page.keyboard.press("Tab"); // from Cancel to Stop
    await page.keyboard.press("Enter");
    await row(page, session).waitFor({ state: "detached" });
    assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
    assert.equal(await page.evaluate(() => document.activeElement?.id), "region");
    // The ring is around the card: inside of it, what stays within reach would cover it.
    assert.equal(await page.evaluate(() => getComputedStyle(document.activeElement.parentElement).outlineWidth), "3px");
    assert.equal(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), "none");
    assert.deepEqual((await overview(launcher)).sessions.map(({ id }) => id), [other.id]);
    await remove(other);
  });

  test("works below a path that a proxy puts before it", async () => {
    const proxy = createServer((incoming, outgoing) => {
      const { method, headers, url } = incoming;
      const target = new URL(url.replace(/^\/hub\/a/, ""), launcher.url);
      const passed = ask(target, { method, headers }, (answer) => answer.pipe(outgoing.writeHead(answer.statusCode, answer.headers)));
      incoming.pipe(passed);
    }).listen(0, "127.0.0.1");
    await once(proxy, "listening");
    try {
      const session = await start("viewer");
      const page = await signedIn(`http://127.0.0.1:${proxy.address().port}/hub/a/lab/viewers/admin`);
      const shown = row(page, session);
      await shown.getByRole("button", { name: /^Stop/ }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Stop" }).click();
      await shown.waitFor({ state: "detached" });
      await until(async () => (await overview(launcher)).sessions.length === 0, "the session's end");
      proxy.closeAllConnections();
      proxy.close();
      await page.getByRole("alert").filter({ hasText: "What stands here may be old" }).waitFor();
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });
});
