// What `npm run build` wrote.
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { describe, expect, test } from "vitest";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const read = (file: string): string => readFileSync(dist + file, "utf8");

async function bundled(source: string): Promise<Uint8Array> {
  const { outputFiles } = await build({
    external: ["react", "vue"],
    stdin: { contents: source, resolveDir: dist },
    bundle: true,
    minify: true,
    format: "esm",
    write: false,
  });
  return outputFiles[0]?.contents ?? new Uint8Array();
}

const sizeOf = async (source: string): Promise<number> => (await bundled(source)).length;

test("the browser bundle needs nothing else", () => {
  expect(read("client.js")).not.toMatch(/\bimport\s*["'{*(]|\bfrom\s*["']|require\(/);
});

test.each(["client.js.map", "replay.js.map", "wslink.js.map"])("%s holds the sources and no machine's paths", (map) => {
  const { sources, sourcesContent } = JSON.parse(read(map)) as { sources: string[]; sourcesContent: string[] };
  expect(sources.length).toBeGreaterThan(10);
  expect(sources.filter((source) => !source.startsWith("../src/"))).toEqual([]);
  expect(sourcesContent.filter(Boolean).length).toBe(sources.length);
});

test("what is not imported is not bundled", async () => {
  expect(await sizeOf('import { VERSION } from "./index.js"; console.log(VERSION);')).toBeLessThan(200);
  expect(await sizeOf('import { NDArray } from "./index.js"; console.log(NDArray);')).toBeLessThan(3000);
});

test("who imports connect alone gets nothing of the released API", async () => {
  const size = await sizeOf('import { connect } from "./index.js"; console.log(connect);');
  expect(size).toBeLessThan(read("client.js").length);
  expect(read("client.js")).not.toMatch(/WSLINK|XMLHttpRequest|wslink-secret["'`]/);
});

test.each([
  ["react", 1024],
  ["vue", 1200],
])("the binding to %s adds less than %i bytes to the client", async (framework, most) => {
  const zipped = async (source: string): Promise<number> => gzipSync(await bundled(source), { level: 9 }).length;
  const client = 'export { connect } from "./client/index.js"; export * from "./errors.js";';
  const added = (await zipped(`${client} export * from "./frameworks/${framework}.js";`)) - (await zipped(client));
  expect(added).toBeGreaterThan(500);
  expect(added).toBeLessThan(most);
});

describe("the script for pages without modules", () => {
  const names = ["CompositeClosureHelper", "NDArray", "ProcessLauncher", "SmartConnect", "WebsocketConnection", "WsLinkClient", "connect"];

  test("defines one global, wslink", () => {
    const page = createContext({ EventTarget, TextDecoder, TextEncoder });
    const before = new Set(Object.keys(page));
    runInContext(read("wslink.js"), page);
    expect(Object.keys(page).filter((name) => !before.has(name))).toEqual(["wslink"]);
    expect(Object.keys((page as { wslink: object }).wslink)).toEqual(expect.arrayContaining(names));
  });

  test("is what require gets, and what AMD loaders get", () => {
    const module = { exports: {} };
    runInContext(read("wslink.js"), createContext({ EventTarget, TextDecoder, TextEncoder, module, exports: module.exports }));
    expect(Object.keys(module.exports)).toEqual(expect.arrayContaining(names));
    let made: object = {};
    const define = Object.assign((_: string[], make: () => object) => (made = make()), { amd: {} });
    runInContext(read("wslink.js"), createContext({ EventTarget, TextDecoder, TextEncoder, define }));
    expect(Object.keys(made)).toEqual(expect.arrayContaining(names));
  });
});

test("nothing in the types is any, but what the released types leave open", () => {
  const files = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".d.ts"));
  expect(files.length).toBeGreaterThan(10);
  const known = (file: string) => read(file).replace(/\/\*[^]*?\*\//g, "").replace(file === "compat/session.d.ts" ? "type Untyped = any;" : "", "");
  for (const file of files) expect([file, /\bany\b/.exec(known(file))]).toEqual([file, null]);
});

test("nothing in the types is newer than TypeScript 5.0, where typed arrays have no parameters", () => {
  const files = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".d.ts") && !file.startsWith("replay/"));
  for (const file of files) expect([file, /\w*(?:Array|DataView)<(?:Shared)?ArrayBuffer\w*>/.exec(read(file))]).toEqual([file, null]);
});

test("the types do not show what is internal", () => {
  expect(read("client/link.d.ts")).not.toContain("static open");
});
