// Starts the demo and a browser, and opens pages whose errors and frames are kept.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { Wire } from "./wire.js";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
export const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** A command, as `spawn` takes it, whose process is asked to end once this one has ended, however that ends. */
export const tied = (command, args) => (process.platform === "linux" ? ["setpriv", ["--pdeathsig", "TERM", command, ...args]] : [command, args]);

/** Serves the demo, another example or a module, on a free port unless one is given. */
export async function serve(example = "terrain", python = process.env.WSLINK_PYTHON, port = "0") {
  if (!python) throw new Error("WSLINK_PYTHON must name a Python that has the project and its group demo; scripts/test sets it");
  const module = example.includes(".") ? example : `examples.${example}`;
  return start(python, ["-m", module, "--port", port], { cwd: ROOT });
}

/** Starts a command, and waits until it says where it serves. */
export async function start(command, args, options) {
  const server = spawn(...tied(command, args), { ...options, stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  server.stderr.setEncoding("utf8").on("data", (text) => (log += text));
  const ended = once(server, "exit");
  const url = await new Promise((resolve, reject) => {
    createInterface(server.stdout).on("line", (line) => {
      const found = /(?:serving(?: on)?|Local:) +(\S+)/.exec(line);
      if (found) resolve(found[1]);
    });
    ended.then(([code]) => reject(new Error(`${args.join(" ")} ended with ${code}:\n${log}`)));
  });
  const stop = async () => {
    server.kill("SIGTERM"); // this process alone, by its id
    await ended;
    return { code: server.exitCode, log };
  };
  return { url, stop };
}

export const launch = () => chromium.launch({ executablePath: CHROMIUM, args: FLAGS });

/** Opens the demo in a tab of its own, and waits until all of it is on the screen. */
export async function open(context, url) {
  const page = await context.newPage();
  page.setDefaultTimeout(60_000); // a busy machine is no failure
  const errors = [];
  page.on("pageerror", (error) => errors.push(`page: ${error.message}`));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) errors.push(`console: ${message.text()}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 400) errors.push(`${response.status()} ${response.url()}`);
  });
  const wire = await Wire.of(page);
  await page.goto(url);
  await settled(page);
  return { page, wire, errors };
}

/** Waits until nothing moves and all that was asked for is drawn. */
export const settled = (page) => page.waitForFunction(() => window.demo?.settled);

/** The region that a page looks at: { level, rows: [from, to], cols: [from, to] }. */
export const regionOf = (page) => page.evaluate(() => window.demo.state.region);

export function inside({ level, rows, cols }, tile) {
  return tile.level === level && tile.row >= rows[0] && tile.row < rows[1] && tile.col >= cols[0] && tile.col < cols[1];
}

/** The names of a region's tiles, in order. */
export function tilesOf({ level, rows, cols }) {
  const names = [];
  for (let row = rows[0]; row < rows[1]; row++) for (let col = cols[0]; col < cols[1]; col++) names.push(nameOf({ level, row, col }));
  return names.sort();
}

export const nameOf = ({ level, row, col }) => `${level}/${row}/${col}`;

/** Red, green and blue of a rectangle of the map, sampled. */
export function pixels(page, [left, top, width, height] = [260, 60, 440, 400]) {
  return page.evaluate(([x, y, w, h]) => {
    // Read from a copy: reading back the page's own canvas would change how the browser keeps it.
    const copy = Object.assign(document.createElement("canvas"), { width: w, height: h }).getContext("2d", { willReadFrequently: true });
    copy.drawImage(document.getElementById("land"), x, y, w, h, 0, 0, w, h);
    const { data } = copy.getImageData(0, 0, w, h);
    return Array.from(data.filter((_, i) => i % 4 < 3 && Math.floor(i / 4) % 7 === 0));
  }, [left, top, width, height]);
}

/** Puts the sun somewhere by dragging it on its dial. */
export async function dragSun(page, azimuth, altitude) {
  const box = await page.locator("#dial").boundingBox();
  const far = (78 / 200) * box.width * (1 - altitude / 90);
  const angle = (azimuth * Math.PI) / 180;
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + far * Math.sin(angle), y - far * Math.cos(angle), { steps: 3 });
  await page.mouse.up();
  await page.waitForFunction(() => window.demo.state.moves === window.demo.state.movesSent);
}

/**
 * Stops the animated sun by a click on its button where it stands: a browser that draws without a graphics card is busy
 * with the animation, and `click()` waits for two frames in which nothing else is done.
 */
export async function stopSun(page) {
  const button = page.getByRole("button", { name: "Stop" });
  const { x, y, width, height } = await button.boundingBox();
  await page.mouse.click(x + width / 2, y + height / 2);
  await page.getByRole("button", { name: "Animate" }).waitFor();
}

/** Drags the map by pixels, around a point that no panel covers. */
export async function dragMap(page, dx, dy) {
  const [x, y] = [480 - dx / 2, 290 - dy / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + dx, y + dy, { steps: 5 });
  await page.mouse.up();
  await settled(page);
}
