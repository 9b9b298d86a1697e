// A page stays responsive while it sends a large file.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { ROOT, launch } from "./demo.js";

const SIZE = 128 * 2 ** 20;
/** What one piece of work of the page may take, in milliseconds; on a machine with nothing else to do it is below 50. */
const LONGEST = 200;

let server;
let browser;
let origin;

before(async () => {
  server = spawn(process.env.WSLINK_PYTHON, [`${ROOT}js/tests/interop/ours.py`], { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface(server.stdout)) {
    origin = `http://localhost:${line.replace("port ", "")}`;
    if (line.startsWith("port ")) break;
  }
  browser = await launch();
});

after(async () => {
  await browser?.close();
  server.kill("SIGTERM"); // this process alone, by its id
});

test("a page that sends a file of 128 MiB is never busy for long in one piece", { timeout: 120_000 }, async () => {
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${origin}/wslink/client.js`);
  const { length, longest } = await page.evaluate(async (size) => {
    const { connect } = await import("/wslink/client.js");
    const link = await connect("/ws", { secret: "s3cret" });
    const file = new File([new Uint8Array(size)], "large.bin");
    let [longest, last, watching] = [0, performance.now(), true];
    const watch = () => {
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
      if (watching) setTimeout(watch);
    };
    watch();
    const length = await link.call("test.length", [file]);
    watching = false;
    await link.close();
    return { length, longest };
  }, SIZE);
  assert.equal(length, SIZE);
  assert.ok(longest < LONGEST, `the page was busy for ${Math.round(longest)} ms`);
});
