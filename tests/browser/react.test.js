// The example in React and TypeScript: checked against its server's contract, built by Vite, and driven against the server.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { before, test } from "node:test";
import { promisify } from "node:util";
import { ROOT, launch, start } from "./demo.js";

const EXAMPLE = join(ROOT, "examples", "typed_react");
const run = promisify(execFile);
const npx = (...args) => run("npx", ["--no-install", ...args], { cwd: EXAMPLE });
const PATH = `${dirname(process.env.WSLINK_PYTHON)}${delimiter}${process.env.PATH}`;
const options = { cwd: EXAMPLE, env: { ...process.env, PATH, PYTHONUNBUFFERED: "1" } };

/** The blocks of the tutorial, which arrives at the example. */
const TUTORIAL = await readFile(join(ROOT, "docs/tutorials/frontend.md"), "utf8");
const blocks = (language) => [...TUTORIAL.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "gs"))].map(([, block]) => block.trim());
const [generate, serve, check] = blocks("bash");

before(async () => {
  if (!existsSync(join(EXAMPLE, "node_modules"))) await run("npm", ["ci", "--no-audit", "--no-fund"], { cwd: EXAMPLE });
});

test("the tutorial's files are those of the example", async () => {
  const files = { "server.py": blocks("python")[0], "src/App.tsx": blocks("tsx")[0], "src/main.tsx": blocks("tsx")[1], "src/wrong.ts": blocks("ts")[0], "vite.config.ts": blocks("ts")[1] };
  for (const [name, block] of Object.entries(files)) {
    const text = await readFile(join(EXAMPLE, name), "utf8");
    assert.equal(block, text.replace(/^ *resolve: .*\n/m, "").trim(), name); // which the repository alone needs
  }
});

test("its client is that of its server", { timeout: 60_000 }, async () => {
  assert.equal(check, `${generate} --check`);
  await run("bash", ["-c", check], options);
});

test("generated clients are formatted as Prettier formats them", { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "wslink-typegen-"));
  try {
    const everything = join(folder, "everything.ts");
    await run(process.env.WSLINK_PYTHON, ["-m", "wslink", "typegen", "tests.contract.offer:app", "-o", everything], { cwd: ROOT });
    await npx("prettier", "--check", "src/api.ts", everything);
  } finally {
    await rm(folder, { recursive: true });
  }
});

const WRONG = {
  argument: 'export const wrong = (api: Api) => api.terrain.light({ azimuth: "315" });',
  tag: "export const wrong = (api: Api) => api.terrain.tile.subscribe(() => 0, { filter: { column: 3 } });",
  payload: "export const wrong = (api: Api) => api.terrain.tile.subscribe((tile) => tile.column);",
};

test("a wrong argument, tag or payload does not compile, and the rest does", { timeout: 120_000 }, async () => {
  const files = Object.keys(WRONG).map((kind) => join(EXAMPLE, "src", `wrong-${kind}.ts`));
  try {
    await npx("tsc");
    await Promise.all(Object.values(WRONG).map((line, index) => writeFile(files[index], `import type { Api } from "./api.js";\n${line}\n`)));
    const { stdout } = await npx("tsc").then(() => assert.fail("it compiles"), (error) => error);
    for (const kind of Object.keys(WRONG)) assert.match(stdout, new RegExp(`src/wrong-${kind}.ts\\(2,`));
  } finally {
    await Promise.all(files.map((file) => rm(file, { force: true })));
  }
});

test("its page calls and subscribes", { timeout: 120_000 }, async () => {
  await npx("vite", "build");
  const { url, stop } = await start("bash", ["-c", `exec ${serve} --port 0`], options);
  const browser = await launch();
  try {
    const page = await browser.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(url);
    await page.waitForFunction(() => document.querySelector("#state")?.textContent === "open");
    const button = page.getByRole("button", { name: "Light" });
    await button.click();
    await page.waitForFunction(() => document.querySelector("#light").textContent === "315 / 30");
    await page.waitForFunction(() => document.querySelector("#tile").textContent === "row 5: 8 x 8");
    await page.getByRole("spinbutton").fill("-5");
    await button.click();
    await page.waitForFunction(() => document.querySelector("#trouble").textContent === "below the horizon: at least 0");
    assert.deepEqual(errors, []);
  } finally {
    await browser.close();
    await stop();
  }
});
