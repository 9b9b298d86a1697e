// Starts an application of the examples under the environment that scripts/test makes for them, and opens pages of it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { ROOT } from "../browser/demo.js";

const PATIENCE = 60_000; // milliseconds; a busy machine is no failure
const PROBE = /\/paraview\/$/; // trame's page looks there for a launcher first; that there is none is no error

/** Runs `python -m examples.NAME`, or another module, on a free port until it says where it serves. */
export async function serve(name) {
  const python = process.env.WSLINK_APPLICATIONS_PYTHON;
  if (!python) throw new Error("WSLINK_APPLICATIONS_PYTHON must name a Python that has trame and VTK; scripts/test applications sets it");
  const server = spawn(python, ["-m", name.includes(".") ? name : `examples.${name}`, "--port", "0", "--server"], {
    cwd: ROOT,
    env: { ...process.env, DISPLAY: "", VTK_DEFAULT_OPENGL_WINDOW: "vtkEGLRenderWindow" }, // no screen, and no search for one
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  server.stderr.setEncoding("utf8").on("data", (text) => (log += text));
  const ended = once(server, "close");
  const url = await new Promise((resolve, reject) => {
    createInterface(server.stdout).on("line", (line) => {
      const found = /Local: +(http\S+)/.exec(line);
      if (found) resolve(found[1]);
    });
    ended.then(([code]) => reject(new Error(`${name} ended with ${code}:\n${log}`)));
  });
  const stop = async () => {
    server.kill("SIGTERM"); // this process alone, by its id
    const [code, signal] = await ended;
    return { code: code ?? signal, log };
  };
  return { url, stop };
}

/** Opens the application in a tab. `frames` are the JPEGs that arrive on its WebSocket. */
export async function open(context, url) {
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const tab = { page, errors: [], frames: [], sockets: [] };
  // What wslink answers is rejected as an object, whose contents the browser keeps to itself.
  await page.addInitScript(() => addEventListener("unhandledrejection", ({ reason }) => console.error("rejected", JSON.stringify(reason))));
  page.on("pageerror", (error) => {
    if (error.message !== "Object") tab.errors.push(`page: ${error.message}`);
  });
  page.on("console", (message) => {
    if (message.type() === "error" && !PROBE.test(message.location().url)) tab.errors.push(`console: ${message.text()}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 400 && !PROBE.test(response.url())) tab.errors.push(`${response.status()} ${response.url()}`);
  });
  page.on("websocket", (socket) => {
    tab.sockets.push(socket.url());
    socket.on("framereceived", ({ payload }) => {
      if (typeof payload === "string") return;
      const start = payload.indexOf(Buffer.from([0xff, 0xd8, 0xff]));
      if (start >= 0 && payload.includes("viewport.image.push")) tab.frames.push(payload.subarray(start));
    });
  });
  await page.goto(url);
  return tab;
}

/** Waits until `check()` is truthy, and returns that. */
export async function until(check, what) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const value = await check();
    if (value) return value;
    assert.ok(Date.now() < end, `in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Red, green and blue of what a tab shows at a locator, in 64 x 48 points. */
export async function pixels({ page }, locator) {
  const png = (await locator.screenshot()).toString("base64");
  return page.evaluate(async (data) => {
    const image = new Image();
    image.src = `data:image/png;base64,${data}`;
    await image.decode();
    const drawing = Object.assign(document.createElement("canvas"), { width: 64, height: 48 }).getContext("2d");
    drawing.drawImage(image, 0, 0, 64, 48);
    return Array.from(drawing.getImageData(0, 0, 64, 48).data.filter((_, i) => i % 4 < 3));
  }, png);
}

/** Waits until a tab shows something that `accept`s these pixels, and returns them. */
export async function shown(tab, locator, accept, what) {
  let values;
  await until(async () => accept((values = await pixels(tab, locator))), what);
  return values;
}

/** The share of values that differ visibly. */
export const changed = (a, b) => a.filter((value, i) => Math.abs(value - b[i]) > 16).length / a.length;
