// What other programs can import of this package, by its name.
import { execFile, execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const run = promisify(execFile);

/** The names that a module exports, as Node finds them inside this package. */
async function exportsOf(name: string): Promise<string[]> {
  const script = `console.log(JSON.stringify(Object.keys(await import(${JSON.stringify(name)}))))`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script], { cwd: root });
  return JSON.parse(stdout) as string[];
}

const DEEP = {
  CompositeClosureHelper: ["capitalize", "default"],
  ProcessLauncher: ["default", "extend", "newInstance"],
  SmartConnect: ["DEFAULT_SESSION_MANAGER_URL", "DEFAULT_SESSION_URL", "default", "extend", "newInstance"],
  WebsocketConnection: ["default", "extend", "newInstance"],
  WsLinkClient: ["default", "extend", "newInstance", "setSmartConnectClass"],
};
const FOLDERS = Object.entries(DEEP);

describe("released imports", () => {
  test.each(FOLDERS.flatMap(([name, names]) => [[`wslink/src/${name}`, names], [`wslink/src/${name}/index.js`, names]] as const))("%s", async (name, names) => {
    expect(await exportsOf(name)).toEqual(expect.arrayContaining([...names]));
  });

  test.each(["wslink", "wslink/src", "wslink/src/index.js"])("%s", async (name) => {
    expect(await exportsOf(name)).toEqual(expect.arrayContaining(["connect", ...Object.keys(DEEP)]));
  });

  test("require", async () => {
    const { stdout } = await run(process.execPath, ["-e", 'console.log(typeof require("wslink").SmartConnect.newInstance)'], { cwd: root });
    expect(stdout).toBe("function\n");
  });

  test("and nothing of what is inside", async () => {
    await expect(exportsOf("wslink/src/session")).rejects.toThrow("ERR_PACKAGE_PATH_NOT_EXPORTED");
    await expect(exportsOf("wslink/dist/compat/line.js")).rejects.toThrow("ERR_PACKAGE_PATH_NOT_EXPORTED");
  });
});

describe("for tools that do not know exports, the package", () => {
  const script = fileURLToPath(new URL("../scripts/folders.mjs", import.meta.url));

  afterAll(() => void execFileSync(process.execPath, [script, "--remove"]));

  test("has folders of the released names", async () => {
    await run(process.execPath, [script]);
    const { files } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { files: string[] };
    for (const [name, names] of FOLDERS) {
      expect(files).toContain(`src/${name}`);
      expect(readdirSync(`${root}src/${name}`).sort()).toEqual(["index.d.ts", "index.js"]);
      expect(await exportsOf(`${root}src/${name}/index.js`)).toEqual(expect.arrayContaining(names));
    }
    await run(process.execPath, [script, "--remove"]);
    expect(FOLDERS.filter(([name]) => existsSync(`${root}src/${name}`))).toEqual([]);
  });
});
