// The inspector's page in Chromium.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, afterEach, before, describe, test } from "node:test";
import { Cable } from "./cable.js";
import { ROOT, launch } from "./demo.js";

const SECRET = "s3cret +&ü";
const HOSTILE = `<img src=x onerror="document.title='owned'"><script>document.title="owned"</script>`;
const PYTHON = process.env.WSLINK_PYTHON;

// Serves an application that has clients of its own: one that is called by hostile names, and on demand 200, with 1,000 publications per second.
const APPLICATION = `
import asyncio, contextlib, os
from collections.abc import AsyncIterator
from typing import Annotated
from wslink import App, Array, RawArray, Identity, WslinkError, connect

SECRET, HOSTILE = ${JSON.stringify(SECRET)}, ${JSON.stringify(HOSTILE)}
app = App(secret=SECRET)
tiles = app.topic("terrain.tile", delivery="latest")
busy = app.topic("busy.topic")
crowd = contextlib.AsyncExitStack()
tasks = []

@app.authenticate
def authenticate(credentials):
    return Identity(credentials.secret) if credentials.has_secret else None

@app.method("demo.add")
def add(a: int, b: int = 3, *more: int, name: str = "") -> dict:
    """Add numbers. <b>All</b> of them."""
    return {"sum": a + b + sum(more), "name": name}

@app.method("demo.slow")
async def slow(seconds: float = 0.2) -> None:
    await asyncio.sleep(seconds)

@app.method("demo.large")
def large(size: int) -> bytes:
    return bytes(size)

@app.method("demo.count")
async def count(pause: float) -> AsyncIterator[dict]:
    number = 0
    while True:
        yield {"number": number, "name": HOSTILE}
        number += 1
        await asyncio.sleep(pause)

@app.method("demo.move")
def move(points: Annotated[RawArray, Array("<f4", "n", 3)]) -> list:
    return [points.dtype, list(points.shape)]

@app.method("demo.show")
def show(row: int) -> int:
    return tiles.publish(b"x" * 5000, {"row": row, "name": HOSTILE})

@app.method("demo.crowd")
async def gather(count: int) -> int:
    for _ in range(count):
        link = await crowd.enter_async_context(app.connect())
        subscription = link.subscribe("busy.topic")
        await subscription.ready
        tasks.append(subscription)
    return count

@app.method("demo.many")
async def many(count: int) -> None:
    target = list(app.clients)[-1]
    for number in range(count):
        if target in app.clients:
            busy.publish(number, to=target)
        if not number % 50:
            await asyncio.sleep(0.05)

async def main():
    server = await app.serve(port=0, inspector=True, handle_signals=True)
    async with connect(f"ws://localhost:{server.port}/ws", secret=HOSTILE) as link:
        subscription = link.subscribe("terrain.tile", filter={"row": {"gte": 3}})
        await subscription.ready
        print(f"serving on {server.port}", flush=True)
        async def follow():
            async for _ in subscription:
                pass
        tasks.append(asyncio.create_task(follow()))
        async def obey():
            reader = asyncio.StreamReader()
            await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(0))
            while line := await reader.readline():
                method, *args = line.decode().split()
                with contextlib.suppress(ConnectionError, WslinkError):  # it is stopped
                    await link.call(method, *map(float if method == "demo.slow" else int, args))
        tasks.append(asyncio.create_task(obey()))
        await server.wait_closed()
    await crowd.aclose()

asyncio.run(main())
`;

describe("the inspector's page", { timeout: 300_000 }, () => {
  let server, url, browser, tabs;

  before(async () => {
    if (!PYTHON) throw new Error("WSLINK_PYTHON must name a Python that has the project; scripts/test sets it");
    server = spawn(PYTHON, ["-c", APPLICATION], { cwd: ROOT, stdio: ["pipe", "pipe", "inherit"] });
    for await (const line of createInterface(server.stdout)) {
      const found = /serving on (\d+)/.exec(line);
      if (found) {
        url = `http://localhost:${found[1]}/wslink/inspect`;
        break;
      }
    }
    assert.ok(url, "the application did not start");
    browser = await launch();
  });

  after(async () => {
    await browser?.close();
    server.kill("SIGTERM"); // this process alone, by its id
    await once(server, "exit");
  });

  afterEach(async () => {
    const open = tabs ?? [];
    tabs = undefined;
    for (const { page } of open) await page.context().close();
    assert.deepEqual(open.flatMap(({ errors }) => errors), []);
  });

  /** The page in a tab of its own. That a secret is refused, or a cable pulled out, is no error of the page. */
  async function tab(address = url) {
    const page = await (await browser.newContext({ viewport: { width: 1400, height: 800 } })).newPage();
    page.setDefaultTimeout(30_000);
    const errors = [];
    page.on("pageerror", (error) => errors.push(`page: ${error.message}`));
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type()) && !/status of 401|ERR_(CONNECTION|INCOMPLETE|SOCKET|EMPTY)/.test(message.text())) errors.push(`console: ${message.text()}`);
    });
    (tabs ??= []).push({ page, errors });
    const response = await page.goto(address);
    return { page, response };
  }

  async function signedIn(panel, address = url) {
    const { page } = await tab(`${address}#secret=${encodeURIComponent(SECRET)}`);
    await page.getByRole("tab", { name: "Clients" }).waitFor();
    if (panel) await page.getByRole("tab", { name: panel, exact: true }).click();
    return page;
  }

  const tell = (...words) => server.stdin.write(`${words.join(" ")}\n`);
  const fields = (row) => row.locator("[data-field]").evaluateAll((all) => Object.fromEntries(all.map((one) => [one.dataset.field, one.textContent])));

  test("shows nothing without the secret", async () => {
    const { page, response } = await tab();
    assert.match(response.headers()["content-security-policy"], /default-src 'none'; script-src 'self'/);
    for (const secret of ["wrong", HOSTILE, "日本"]) {
      await page.getByLabel("The server’s secret").fill(secret);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("alert").filter({ hasText: "This secret is not accepted." }).waitFor();
      assert.equal(await page.getByRole("table").count(), 0);
      assert.equal(await page.locator("tbody tr").count(), 0);
    }
    await page.getByLabel("The server’s secret").fill(SECRET);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("table").waitFor();
    // It is kept for this page alone.
    assert.equal(page.url(), url);
    const kept = await page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }, document.cookie, document.body.innerHTML, history.length]));
    assert.ok(!kept.includes("s3cret"));
    await page.getByRole("button", { name: "Sign out" }).click();
    assert.equal(await page.locator("tbody tr").count(), 0);
  });

  test("the address that the server prints opens it, and does not stay", async () => {
    const page = await signedIn();
    assert.equal(page.url(), url);
  });

  test("shows a client, its subscription and its filter, and hostile names as text", async () => {
    tell("demo.show", 4);
    const page = await signedIn();
    const client = page.locator("#clients tbody tr");
    await client.waitFor();
    await page.waitForFunction(() => / ms$/.test(document.querySelector('#clients [data-field="lag"]')?.textContent));
    const cells = await fields(client);
    assert.equal(cells.user, HOSTILE);
    assert.deepEqual([cells.state, cells.subscriptions, cells.dropped], ["open", "1", "0"]);
    assert.match(cells.address, /^(127\.0\.0\.1|::1)$/);
    assert.match(cells.rtt, / ms$/);
    await page.getByRole("tab", { name: "Topics" }).click();
    const subscription = page.locator("#subscription-table tbody tr");
    await subscription.waitFor();
    const told = await fields(subscription);
    assert.deepEqual([told.topic, told.filter], ["terrain.tile", '{"row": {"gte": 3}}']);
    await page.getByRole("tab", { name: "Messages" }).click();
    const publication = page.locator('#log tr[data-kind="publication"]', { hasText: "onerror" }).first();
    await publication.waitFor();
    assert.match((await fields(publication)).size, /^5\.\d kB$/);
    assert.equal(await page.locator("main img, main script, main b").count(), 0);
    assert.equal(await page.title(), "Inspector");
  });

  test("shows calls with their timeline, also while they run", async () => {
    const page = await signedIn("Calls");
    tell("demo.slow", 1.5);
    const running = page.locator("#calls tbody tr", { hasText: "demo.slow" }).filter({ hasText: "runs" });
    await running.waitFor();
    const ended = page.locator("#calls tbody tr", { hasText: "demo.slow" }).filter({ hasText: "OK" }).first();
    await ended.waitFor();
    await running.waitFor({ state: "detached" });
    const cells = await fields(ended);
    assert.match(cells.run, /^15\d\d ms$/);
    assert.match(cells.wait, / ms$|–/);
    const [bar, ran] = await ended.evaluate((row) => [row.querySelector(".bar"), row.querySelector("td .run")].map((one) => one.getBoundingClientRect().width));
    assert.ok(ran > bar * 0.8, `${ran} of ${bar}`);
  });

  test("shows how long a response waited for the line", async () => {
    const page = await signedIn("Calls");
    tell("demo.large", 60_000_000);
    const row = page.locator("#calls tbody tr", { hasText: "demo.large" }).first();
    await row.waitFor();
    await page.waitForFunction(() => [...document.querySelectorAll("#calls tbody tr")].some((one) => one.textContent.includes("demo.large") && one.querySelector('[data-field="send"]').textContent.endsWith("s")));
    const [bar, sent] = await row.evaluate((one) => [one.querySelector(".bar"), one.querySelector("td .send")].map((part) => part.getBoundingClientRect().width));
    assert.ok(sent > bar * 0.02, `${sent} of ${bar}`);
    await page.getByRole("tab", { name: "Messages" }).click();
    await page.locator("#log tbody tr", { hasText: "for the line" }).first().waitFor();
  });

  test("the log is filtered and paused", async () => {
    const page = await signedIn("Messages");
    tell("demo.show", 5);
    tell("demo.add", 1);
    const rows = page.locator("#log tbody tr");
    await rows.filter({ hasText: "demo.add" }).first().waitFor();
    await page.getByLabel("Filter").fill("demo.add result");
    await page.waitForFunction(() => [...document.querySelectorAll("#log tbody tr")].every((row) => row.textContent.includes("demo.add")));
    assert.ok((await rows.count()) >= 1);
    await page.getByText(/\d+ of \d+ match the filter\./).waitFor();
    await page.getByLabel("Filter").fill("-demo.add");
    assert.equal(await rows.filter({ hasText: "demo.add" }).count(), 0);
    await page.getByLabel("Filter").fill("nothing has this");
    assert.equal(await rows.count(), 0);
    await page.getByLabel("Filter").fill("");
    await page.getByRole("button", { name: "Pause" }).click();
    await page.waitForTimeout(300); // a look that was under way
    const before = await rows.first().textContent();
    tell("demo.slow", 0.01);
    await page.waitForTimeout(700);
    assert.equal(await rows.first().textContent(), before);
    await page.getByRole("button", { name: "Go on" }).click();
    await rows.filter({ hasText: "demo.slow" }).first().waitFor();
  });

  test("calls a method through the form", async () => {
    const page = await signedIn("Call a method");
    assert.equal(await page.getByLabel("Method", { exact: true }).inputValue(), "demo.add", "nothing that ends the server is chosen");
    await page.getByLabel("Method", { exact: true }).selectOption("demo.add");
    assert.equal(await page.locator("#doc").textContent(), "Add numbers. <b>All</b> of them.");
    assert.equal(await page.getByLabel("b", { exact: true }).getAttribute("placeholder"), "integer, default 3");
    await page.getByLabel("a", { exact: true }).fill("4");
    await page.getByLabel("name", { exact: true }).fill(HOSTILE);
    await page.getByRole("button", { name: "Call", exact: true }).click();
    await page.getByRole("status").filter({ hasText: "It took" }).waitFor();
    assert.deepEqual(JSON.parse(await page.locator("#result").textContent()), { sum: 7, name: HOSTILE });
    await page.getByLabel("b", { exact: true }).fill("5");
    await page.getByLabel("…").fill("[6, 7]");
    await page.getByLabel("a", { exact: true }).press("Enter");
    await page.waitForFunction(() => document.querySelector("#result").textContent.includes("22"));
    await page.getByLabel("a", { exact: true }).fill("four");
    await page.getByRole("button", { name: "Call", exact: true }).click();
    await page.getByRole("status").filter({ hasText: "It failed with -32602" }).waitFor();
    await page.getByRole("tab", { name: "Calls", exact: true }).click();
    const call = page.locator("#calls tbody tr", { hasText: "demo.add" }).filter({ hasText: "inspecto" }).first();
    await call.waitFor();
  });

  test("shows the items of a stream through the form, and stops it", async () => {
    const page = await signedIn("Call a method");
    await page.getByLabel("Method", { exact: true }).selectOption("demo.count");
    await page.getByLabel("pause", { exact: true }).fill("0.05");
    assert.ok(!(await page.getByRole("button", { name: "Stop" }).isVisible()));
    await page.getByRole("button", { name: "Call", exact: true }).click();
    await page.getByRole("status").filter({ hasText: /^Item [3-9]/ }).waitFor();
    assert.match(await page.locator("#result").textContent(), /"number": 1[^]*onerror[^]*"number": 2/);
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByRole("status").filter({ hasText: /^It was stopped after .* with \d+ items/ }).waitFor();
    await page.getByRole("tab", { name: "Calls", exact: true }).click();
    await page.locator("#calls tbody tr", { hasText: "demo.count" }).filter({ hasText: "error -32800" }).first().waitFor();
  });

  test("says what is known of a call whose connection is lost, and goes on when it is back", async () => {
    const cable = await Cable.to(new URL(url).origin);
    try {
      const page = await signedIn("Call a method", url.replace(new URL(url).origin, cable.url));
      await page.getByLabel("Method", { exact: true }).selectOption("demo.count");
      await page.getByLabel("pause", { exact: true }).fill("0.05");
      await page.getByRole("button", { name: "Call", exact: true }).click();
      await page.getByRole("status").filter({ hasText: /^Item [3-9]/ }).waitFor();
      cable.pull();
      await page.getByRole("status").filter({ hasText: /^No more than \d+ items came in .* The method may have run all the same\.$/ }).waitFor();
      assert.match(await page.locator("#result").textContent(), /"number": 2/);
      await page.locator("#trouble", { hasText: "What stands here may be old" }).waitFor();
      cable.plug();
      await page.locator("#trouble:empty").waitFor({ state: "attached" });
      await page.getByLabel("Method", { exact: true }).selectOption("demo.add");
      await page.getByLabel("a", { exact: true }).fill("4");
      await page.getByLabel("a", { exact: true }).press("Enter");
      await page.getByRole("status").filter({ hasText: "It took" }).waitFor();
    } finally {
      cable.close();
    }
  });

  test("gives arrays through the form", async () => {
    const page = await signedIn("Call a method");
    await page.getByLabel("Method", { exact: true }).selectOption("demo.move");
    const points = page.getByLabel("points", { exact: true });
    assert.equal(await points.getAttribute("placeholder"), "array <f4 [n,3]");
    await points.fill("[[1, 2, 3], [4, 5, 6]]");
    await points.press("Enter");
    await page.waitForFunction(() => document.querySelector("#result").textContent.replaceAll(/\s/g, "") === '["<f4",[2,3]]');
    await points.fill("[[1, 2]]");
    await points.press("Enter");
    await page.getByRole("status").filter({ hasText: "It failed with -32602" }).waitFor();
  });

  test("is read with the keyboard", async () => {
    const page = await signedIn();
    await page.getByRole("tab", { name: "Clients" }).press("ArrowRight");
    assert.equal(await page.evaluate(() => document.activeElement.id), "tab-topics");
    assert.ok(await page.locator("#topics").isVisible());
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    assert.ok(await page.locator("#form").isVisible());
  });

  test("reads well with 200 clients and 1,000 messages per second", async () => {
    const page = await signedIn();
    tell("demo.crowd", 200);
    await page.waitForFunction(() => document.querySelectorAll("#clients tbody tr").length === 201);
    await page.getByRole("tab", { name: "Messages" }).click();
    tell("demo.many", 3000);
    await page.locator("#log tbody tr", { hasText: "busy.topic" }).first().waitFor();
    const { frames, seen } = await page.evaluate(async () => {
      const seen = new Set();
      let frames = 0;
      const end = performance.now() + 2000;
      while (performance.now() < end) {
        await new Promise(requestAnimationFrame);
        frames += 1;
        seen.add(document.querySelector("#log tbody tr").textContent);
      }
      return { frames, seen: seen.size };
    });
    assert.ok(frames > 30, `${frames} frames in 2 s`);
    assert.ok(seen >= 3, `${seen} looks in 2 s`);
    assert.ok((await page.locator("#log tbody tr").count()) <= 200);
  });
});
