// A room over two workers, one of which is killed while two pages are in it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { launch, serve } from "./demo.js";

async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

describe("the shared room", { timeout: 180_000 }, () => {
  let redis, server, browser;

  before(async () => {
    const port = await freePort();
    redis = spawn("redis-server", ["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"], { stdio: "ignore" });
    process.env.ROOM_BROKER = `redis://127.0.0.1:${port}?name=room`;
    await new Promise((resolve) => setTimeout(resolve, 500));
    server = await serve("shared_room");
    browser = await launch();
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
    redis?.kill("SIGKILL"); // this process alone, by its id
  });

  /** A page at another worker than `not`. */
  async function enter(name, not) {
    for (let attempt = 0; attempt < 60; attempt += 1) {
      const page = await browser.newPage({ viewport: { width: 800, height: 600 } });
      await page.goto(`${server.url}?name=${name}`);
      await page.waitForFunction(() => document.body.dataset.worker);
      if ((await page.evaluate(() => document.body.dataset.worker)) !== not) return page;
      await page.close();
    }
    throw new Error("all connections reach one worker");
  }

  const names = (page, wanted) => page.waitForFunction((text) => document.getElementById("names").textContent === text, wanted, { timeout: 40_000 });
  const cursor = (page, name) => page.waitForFunction((text) => [...document.querySelectorAll(".cursor")].some((one) => one.textContent === text), name);

  test("shows who is there and where they point, also when a worker is killed", async () => {
    const ada = await enter("Ada");
    const worker = await ada.evaluate(() => document.body.dataset.worker);
    const eve = await enter("Eve", worker);
    await names(ada, "Ada, Eve");
    await names(eve, "Ada, Eve");
    await ada.mouse.move(400, 300);
    await cursor(eve, "Ada");
    assert.equal(await eve.evaluate(() => document.querySelector(".cursor").style.left), "50%");

    process.kill(Number(worker), "SIGKILL");
    await ada.waitForFunction((before) => document.body.dataset.worker !== before, worker, { timeout: 40_000 });
    await names(eve, "Ada, Eve");
    await names(ada, "Ada, Eve");
    await eve.mouse.move(200, 150);
    await cursor(ada, "Eve");
    await ada.mouse.move(600, 450);
    await eve.waitForFunction(() => [...document.querySelectorAll(".cursor")].some((one) => one.textContent === "Ada" && one.style.left === "75%"));
  });
});
