// The tutorial's simulation in a browser.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { ROOT, launch } from "./demo.js";

async function blocks(language) {
  const text = await readFile(join(ROOT, "docs/tutorials/simulation.md"), "utf8");
  return [...text.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "gs"))].map(([, block]) => block);
}

test("the plate of the tutorial is drawn, and heated by the pointer", { timeout: 90_000 }, async () => {
  const directory = await mkdtemp(join(tmpdir(), "wslink-tutorial-"));
  await mkdir(join(directory, "www"));
  const program = (await blocks("python")).slice(0, 3).join("\n").replace("port=8080", "port=0, ready_msg='ready'");
  await writeFile(join(directory, "server.py"), program.replace("await server.wait_closed()", "print('serving on', server.url, flush=True)\n    await server.wait_closed()"));
  await writeFile(join(directory, "www", "index.html"), (await blocks("html"))[0]);
  const server = spawn(process.env.WSLINK_PYTHON, ["server.py"], { cwd: directory, stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(server, "exit");
  const browser = await launch();
  try {
    let url;
    for await (const line of createInterface(server.stdout)) if ((url = /serving on (\S+)/.exec(line)?.[1])) break;
    const page = await browser.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => message.type() === "error" && !/favicon|404/.test(message.text()) && errors.push(message.text()));
    await page.goto(url);
    const red = () => page.evaluate(() => document.querySelector("canvas").getContext("2d").getImageData(64, 64, 1, 1).data[0]);
    await page.waitForFunction(() => document.querySelector("canvas").getContext("2d").getImageData(64, 64, 1, 1).data[3] === 255);
    assert.equal(await red(), 0);
    const box = await page.locator("canvas").boundingBox();
    await page.mouse.move(box.x + 250, box.y + 250);
    await page.mouse.down();
    await page.mouse.move(box.x + 258, box.y + 258, { steps: 4 });
    await page.waitForFunction(() => document.querySelector("canvas").getContext("2d").getImageData(64, 64, 1, 1).data[0] > 100);
    await page.mouse.up();
    assert.deepEqual(errors, []);
  } finally {
    await browser.close();
    server.kill("SIGTERM");
    await ended;
    await rm(directory, { recursive: true });
  }
});
