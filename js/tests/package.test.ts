// What other programs can import of this package: from here by its name, and from the package as it is published.
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

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
  "WebsocketConnection/session": ["default", "extend", "newInstance"],
  WsLinkClient: ["default", "extend", "newInstance", "setSmartConnectClass"],
};
const PATHS = Object.keys(DEEP).flatMap((name) => [name, name.includes("/") ? `${name}.js` : `${name}/index.js`]);
const namesOf = (path: string): string[] => DEEP[path.replace(/(\/index)?\.js$/, "") as keyof typeof DEEP];

interface Manifest {
  readonly exports: object;
  readonly files: string[];
  readonly devDependencies: Record<string, string>;
}

const manifest = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as Manifest;

describe("released imports", () => {
  test.each(PATHS)("wslink/src/%s", async (path) => {
    expect(await exportsOf(`wslink/src/${path}`)).toEqual(expect.arrayContaining(namesOf(path)));
  });

  test.each(["wslink", "wslink/src", "wslink/src/index.js", "wslink/dist/wslink.js"])("%s", async (name) => {
    expect(await exportsOf(name)).toEqual(expect.arrayContaining(["connect", ...Object.keys(DEEP).filter((each) => !each.includes("/"))]));
  });

  test.each(["wslink/react", "wslink/vue"])("%s", async (name) => {
    expect(await exportsOf(name)).toEqual(expect.arrayContaining(["useCall", "useLink", "useTopic"]));
  });

  test("and nothing of what is inside", async () => {
    await expect(exportsOf("wslink/src/session")).rejects.toThrow("ERR_PACKAGE_PATH_NOT_EXPORTED");
    await expect(exportsOf("wslink/dist/compat/line.js")).rejects.toThrow("ERR_PACKAGE_PATH_NOT_EXPORTED");
  });
});

test("the exports in package.json are those that scripts/entries.mjs makes", async () => {
  const { exportsOf: made, shims } = (await import(`${root}scripts/entries.mjs`)) as Record<"exportsOf" | "shims", () => object>;
  expect(manifest.exports).toEqual(made());
  expect(manifest.files).toEqual(["dist", "cjs", ...Object.keys(shims()), "LICENSE"]);
});

test("the repository is named where pyproject.toml names it, and only there", () => {
  const [, repository] = /^repository = "(.*)"$/m.exec(readFileSync(`${root}../pyproject.toml`, "utf8")) ?? [];
  const { repository: named, bugs } = manifest as { repository?: { url: string }; bugs?: { url: string } };
  expect(repository).toBeDefined();
  expect([named?.url, bugs?.url]).toEqual(repository ? [`git+${repository}.git`, `${repository}/issues`] : [undefined, undefined]);
});

test("the README has no links that are dead on the package's page", () => {
  expect(readFileSync(`${root}README.md`, "utf8")).not.toMatch(/\]\((?!https?:|#)/);
});

describe("the published package", () => {
  const directory = mkdtempSync(join(tmpdir(), "wslink-package-"));
  const project = join(directory, "project");
  const node = (...args: string[]): Promise<{ stdout: string }> => run(process.execPath, args, { cwd: project });

  beforeAll(async () => {
    const { stdout } = await run(process.execPath, [`${root}scripts/pack.mjs`, directory]);
    cpSync(fileURLToPath(new URL("package/", import.meta.url)), project, { recursive: true });
    const archive = `file:${stdout.trim()}`;
    writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, dependencies: { wslink: archive, "@kitware/wslink": archive } }));
    await run("npm", ["install", "--offline", "--no-audit", "--no-fund", "--no-package-lock"], { cwd: project });
  }, 120_000);

  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test("leaves nothing behind where it is packed", () => {
    expect(readdirSync(join(directory, "js/src"))).toEqual(readdirSync(join(root, "src")));
  });

  test("holds no sources, tests or paths of this machine", () => {
    const files = readdirSync(join(project, "node_modules/wslink"), { recursive: true, encoding: "utf8" });
    expect(files.filter((file) => /(?<!\.d)\.ts$|test|node_modules/.test(file))).toEqual([]);
    for (const file of files.filter((each) => /\.(js|ts|json|map)$/.test(each))) {
      expect(readFileSync(join(project, "node_modules/wslink", file), "utf8")).not.toContain(directory);
    }
  });

  test.each(["wslink", "@kitware/wslink"])("is one copy in Node, whether %s is imported or required, by whatever path", async (name) => {
    const script = `
      import { createRequire } from "node:module";
      const require = createRequire(import.meta.url);
      const paths = ["", "/client.js", "/src", "/src/index.js", "/dist/wslink.js"];
      const errors = new Set();
      for (const path of paths) errors.add((await import("${name}" + path)).CallError).add(require("${name}" + path).CallError);
      const smart = new Set();
      for (const path of ["/src/SmartConnect", "/src/SmartConnect/index.js"]) smart.add((await import("${name}" + path)).default).add(require("${name}" + path).default);
      smart.add(require("${name}").SmartConnect);
      console.log(errors.size, smart.size, typeof [...errors][0], typeof [...smart][0].newInstance);`;
    expect((await node("--input-type=module", "-e", script)).stdout).toBe("1 1 function function\n");
  });

  // As newer clients of trame have it: a package that imports the other name, of which this one takes the place.
  test("can be taken for @kitware/wslink by an override", async () => {
    const viewer = join(directory, "overridden", "viewer");
    mkdirSync(viewer, { recursive: true });
    const of = (file: string, manifest: object): void => writeFileSync(join(directory, "overridden", file), JSON.stringify(manifest));
    of("viewer/package.json", { name: "viewer", version: "1.0.0", main: "index.js", dependencies: { "@kitware/wslink": "^2.0.0" } });
    writeFileSync(
      join(viewer, "index.js"),
      `import SmartConnect from "@kitware/wslink/src/SmartConnect";
       import WsLinkClient from "@kitware/wslink/src/WsLinkClient";
       import { connect, SmartConnect as same } from "@kitware/wslink";
       WsLinkClient.setSmartConnectClass(SmartConnect);
       console.log(typeof connect, typeof WsLinkClient.newInstance, SmartConnect === same);`,
    );
    const [archive] = readdirSync(directory).filter((file) => file.endsWith(".tgz"));
    of("package.json", { private: true, dependencies: { viewer: "file:viewer" }, overrides: { "@kitware/wslink": `file:../${archive}` } });
    const cwd = join(directory, "overridden");
    await run("npm", ["install", "--offline", "--install-links", "--no-audit", "--no-fund", "--no-package-lock"], { cwd });
    const { metafile } = await build({ entryPoints: ["viewer"], absWorkingDir: cwd, bundle: true, outfile: "page.cjs", metafile: true, logLevel: "silent" });
    const inputs = Object.keys(metafile.inputs).filter((input) => input.includes("wslink"));
    expect(new Set(inputs.map((input) => input.split("/").slice(0, 4).join("/")))).toEqual(new Set(["node_modules/@kitware/wslink/dist"]));
    // `ws`, which Node 20 needs, is nothing to a page: no bundler looks for it.
    expect(Object.values(metafile.outputs).flatMap(({ imports }) => imports)).toEqual([]);
    expect((await run(process.execPath, [join(cwd, "page.cjs")])).stdout).toBe("function function true\n");
  }, 60_000);

  // vue-cli 4 and other tools of its age: they know neither "exports" nor the syntax since 2020.
  test.each(["wslink", "@kitware/wslink"])("can be built by webpack 4 from %s, as one copy", async (name) => {
    const { stdout } = await node("webpack4.cjs", `${root}node_modules/webpack4`, name);
    const lines = stdout.trim().split("\n");
    expect(lines.at(-1)).toBe("SmartConnect WsLinkClient WebsocketConnection Session ProcessLauncher one copy");
  }, 60_000);

  test.each(["node10", "node16", "bundler"])("has types for TypeScript's moduleResolution %s", async (moduleResolution) => {
    const module = { node10: "commonjs", node16: "node16", bundler: "es2022" }[moduleResolution];
    const options = { moduleResolution, module, target: "es2020", lib: ["es2022", "dom"], strict: true, noEmit: true, types: [] };
    const compilerOptions = { ...options, ...(moduleResolution === "node10" && { ignoreDeprecations: "6.0" }) };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["consumer.ts"] }));
    await expect(node(`${root}node_modules/typescript/bin/tsc`).catch(({ stdout }: { stdout: string }) => stdout)).resolves.toMatchObject({ stdout: "" }); // eslint-disable-line @typescript-eslint/use-unknown-in-catch-callback-variable
  }, 60_000);
});
