// Imports go down only, which ESLint checks directory by directory; and no modules import each other in a circle, types included.
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { ESLint } from "eslint";
import { expect, test } from "vitest";

// In CI the parser would read files from the disk instead of the text that it is given.
process.env.TSESTREE_SINGLE_RUN = "false";
const root = fileURLToPath(new URL("..", import.meta.url));
const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));

function importsOf(file: string): string[] {
  const source = readFileSync(join(root, "src", file), "utf8");
  return [...source.matchAll(/from "(\..*)\.js"/g)].map(([, path]) => `${normalize(join(dirname(file), path as string))}.ts`);
}

function circle(file: string, path: readonly string[], done: Set<string>): readonly string[] | undefined {
  if (path.includes(file)) return [...path, file];
  if (done.has(file)) return undefined;
  for (const imported of importsOf(file)) {
    const found = circle(imported, [...path, file], done);
    if (found) return found;
  }
  done.add(file);
  return undefined;
}

test("no circles", () => {
  expect(files.length).toBeGreaterThan(30);
  expect(files.flatMap(importsOf).filter((imported) => !files.includes(imported))).toEqual([]);
  const done = new Set<string>();
  expect(files.map((file) => circle(file, [], done)).filter(Boolean)).toEqual([]);
});

test.each([
  ["rpc/pending.ts", "../session/session.js"],
  ["session/features/arrays.ts", "../../client/link.js"],
  ["wire/ids.ts", "../rpc/pending.js"],
  ["client/link.ts", "../compat/line.js"],
  ["replay/player.ts", "../client/link.js"],
])("src/%s may not import %s", async (file, imported) => {
  const eslint = new ESLint({ cwd: root, overrideConfig: { languageOptions: { parserOptions: { projectService: false, project: "tsconfig.json" } } } });
  const source = `import "${imported}";\n${readFileSync(join(root, "src", file), "utf8")}`;
  const [result] = await eslint.lintText(source, { filePath: join(root, "src", file) });
  expect(result?.messages.map(({ ruleId }) => ruleId)).toContain("no-restricted-imports");
}, 60_000);
