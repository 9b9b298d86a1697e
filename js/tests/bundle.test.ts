// What `npm run build` wrote.
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, test } from "vitest";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const read = (file: string): string => readFileSync(dist + file, "utf8");

async function sizeOf(source: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: dist },
    bundle: true,
    minify: true,
    format: "esm",
    write: false,
  });
  return outputFiles[0]?.contents.length ?? 0;
}

test("the browser bundle needs nothing else", () => {
  expect(read("client.js")).not.toMatch(/\bimport\s*["'{*]|\bfrom\s*["']|import\(["']|require\(/);
});

test("the source map holds the sources and no machine's paths", () => {
  const { sources, sourcesContent } = JSON.parse(read("client.js.map")) as { sources: string[]; sourcesContent: string[] };
  expect(sources.length).toBeGreaterThan(10);
  expect(sources.filter((source) => !source.startsWith("../src/"))).toEqual([]);
  expect(sourcesContent.filter(Boolean).length).toBe(sources.length);
});

test("what is not imported is not bundled", async () => {
  expect(await sizeOf('import { VERSION } from "./index.js"; console.log(VERSION);')).toBeLessThan(200);
  expect(await sizeOf('import { NDArray } from "./index.js"; console.log(NDArray);')).toBeLessThan(3000);
});

test("nothing in the types is any", () => {
  const files = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".d.ts"));
  expect(files.length).toBeGreaterThan(10);
  for (const file of files) expect(read(file).replace(/\/\*[^]*?\*\//g, "")).not.toMatch(/\bany\b/);
});

test("the types do not show what is internal", () => {
  expect(read("client/link.d.ts")).not.toContain("static open");
});
