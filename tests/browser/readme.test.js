// The README's ten lines in a browser: the page connects without a secret, calls, subscribes and draws binary.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { ROOT, launch } from "./demo.js";

/** The first block of a language in the README's part "Use it". */
async function block(language) {
  const text = (await readFile(join(ROOT, "README.md"), "utf8")).split("## Use it")[1];
  return new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "s").exec(text)[1];
}

async function serving(server) {
  for await (const line of createInterface(server.stdout)) {
    const found = /serving on (\S+)/.exec(line);
    if (found) return found[1];
  }
  throw new Error("the server ended");
}

test("the README's page paints what the README's server publishes", { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "wslink-readme-"));
  await mkdir(join(folder, "www"));
  await writeFile(join(folder, "server.py"), (await block("python")).replace("port=8080", "port=0"));
  await writeFile(join(folder, "www", "index.html"), await block("html"));
  const server = spawn(process.env.WSLINK_PYTHON, ["server.py"], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(server, "exit");
  const browser = await launch();
  try {
    const page = await browser.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(await serving(server));
    await page.waitForFunction(() => document.title === "1 viewer");
    const pixel = await page.waitForFunction(() => {
      const { data } = document.querySelector("canvas").getContext("2d").getImageData(63, 63, 1, 1);
      return data[3] === 255 && [...data];
    });
    assert.deepEqual(await pixel.jsonValue(), [200, 80, 99, 255]);
    assert.deepEqual(errors, []);
  } finally {
    await browser.close();
    server.kill("SIGTERM");
    await ended;
    await rm(folder, { recursive: true });
  }
});
