// The terrain demo, recorded, and played by a static site: its page in Chromium, files from a plain server, and no application.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { ROOT, dragSun, launch, open, regionOf, serve, settled, tilesOf } from "./demo.js";

const SIZE = { width: 480, height: 400 };
const PYTHON = process.env.WSLINK_PYTHON;
const SECRET = "of-the-recorded-server";
const wslink = (...options) => promisify(execFile)(PYTHON, ["-m", "wslink", ...options], { cwd: ROOT });

/** Serves files as any server does. */
async function files(directory) {
  const server = spawn(PYTHON, ["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", directory], { stdio: ["ignore", "pipe", "ignore"] });
  for await (const line of createInterface(server.stdout)) {
    const port = / port (\d+) /.exec(line)?.[1];
    if (port) return { url: `http://127.0.0.1:${port}/`, stop: () => (server.kill("SIGTERM"), once(server, "exit")) };
  }
  throw new Error("the file server ended");
}

/** Serves the recording and its page, without the application. */
async function replay(file) {
  const options = ["-u", "-m", "wslink", "replay", file, "--content", "examples/terrain/www", "--port", "0", "--speed", "4"];
  const server = spawn(PYTHON, options, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface(server.stdout)) {
    const url = /serving on (\S+)/.exec(line)?.[1];
    if (url) return { url, stop: () => (server.kill("SIGTERM"), once(server, "exit")) };
  }
  throw new Error("wslink replay ended");
}

/** What is drawn of the land. */
const drawn = (page) => page.evaluate(() => document.getElementById("land").toDataURL());

describe("a recording in a browser", { timeout: 180_000 }, () => {
  let browser, directory, server, replayed, original;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "wslink-replay-"));
    browser = await launch();
    await record();
    server = await files(join(directory, "site"));
    replayed = await replay(join(directory, "run.wsrec"));
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
    await replayed?.stop();
    if (directory) await rm(directory, { recursive: true });
  });

  /** Records what a page does and sees, and makes a site of it; the application has ended then. */
  async function record() {
    Object.assign(process.env, { WSLINK_SECRET: SECRET, WSLINK_RECORDER: String(2 ** 28) });
    const demo = await serve();
    delete process.env.WSLINK_SECRET;
    delete process.env.WSLINK_RECORDER;
    const context = await browser.newContext({ viewport: SIZE, deviceScaleFactor: 1 });
    const { page, errors } = await open(context, demo.url);
    await dragSun(page, 90, 30);
    await settled(page);
    original = { land: await drawn(page), region: await regionOf(page), light: (await page.evaluate(() => window.demo.shown)).light };
    assert.deepEqual(errors, []);
    assert.ok(original.light > 0);
    const file = join(directory, "run.wsrec");
    await wslink("record", demo.url, "--ring", "-o", file);
    await context.close();
    await demo.stop();
    const { stdout } = await wslink("replay", file, "--content", "examples/terrain/www", "--static", join(directory, "site"));
    assert.match(stdout, /1 pages/);
  }

  async function visit(url, visited, connects = false) {
    const context = await browser.newContext({ viewport: SIZE, deviceScaleFactor: 1 });
    try {
      const page = await context.newPage();
      const errors = [];
      page.on("pageerror", (error) => errors.push(error.message));
      page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
      page.on("websocket", (socket) => connects || errors.push(`a connection to ${socket.url()}`));
      page.setDefaultTimeout(60_000); // a busy machine is no failure
      await page.goto(url);
      await visited(page);
      assert.deepEqual(errors, []);
    } finally {
      await context.close();
    }
  }

  test("a static site shows what the application showed, in the end the same pixels", async () => {
    await visit(server.url, async (page) => {
      await page.waitForFunction((light) => window.demo?.settled && window.demo.shown.light >= light, original.light);
      assert.deepEqual(await regionOf(page), original.region);
      assert.equal(await drawn(page), original.land);
      assert.match(await page.textContent("#status"), /Connected · wslink replay/);
    });
  });

  test("wslink replay shows the same, from a server without the application", async () => {
    await visit(
      replayed.url,
      async (page) => {
        await page.waitForFunction((light) => window.demo?.settled && window.demo.shown.light >= light, original.light);
        assert.equal(await drawn(page), original.land);
      },
      true,
    );
  });

  test("it is stepped, and what the page asks for is answered as it was recorded", async () => {
    await visit(`${server.url}?replay=step`, async (page) => {
      await page.waitForFunction(() => window.demo?.link?.state === "open" && window.wslinkReplay);
      const { publications } = await page.evaluate(() => window.wslinkReplay.ready);
      const info = await page.evaluate(() => window.demo.link.call("terrain.info"));
      assert.equal(info.name, "Jacksboro Fault");
      assert.equal((await page.evaluate(() => window.demo.shown)).have, 0);
      await page.evaluate(() => window.wslinkReplay.step(4));
      assert.equal(await page.evaluate(() => window.wslinkReplay.position), 4);
      await page.evaluate((count) => window.wslinkReplay.step(count), publications);
      await page.waitForFunction((light) => window.demo.settled && window.demo.shown.light >= light, original.light);
      assert.equal(await page.evaluate(() => window.wslinkReplay.position), publications);
      assert.equal((await page.evaluate(() => window.demo.shown)).have, tilesOf(original.region).length);
      assert.equal(await drawn(page), original.land);
    });
  });
});
