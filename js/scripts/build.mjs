// Writes dist/ (ES modules with types, one module for browsers, one script for script tags), cjs/ (the same as CommonJS in the syntax of 2017,
// for require and for tools of that age), the copy of the browser module which the Python server serves, and what notebooks load.
import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";
import { minify } from "terser";
import { ENTRIES, hasDefault } from "./entries.mjs";

const here = fileURLToPath(new URL("..", import.meta.url));
const served = fileURLToPath(new URL("../../src/wslink/static/", import.meta.url));
process.chdir(here);

/** Private members as properties with an underscore: in the syntax of 2017 each access would be one to a WeakMap. */
const plainMembers = (path) => readFileSync(path, "utf8").replaceAll(/(?<=^\s+(?:readonly |async |get |static )*|\w\.)#(?=[a-z])/gm, "_");
const plugin = {
  name: "plain-members",
  setup: ({ onLoad }) => onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => ({ contents: plainMembers(path), loader: "ts" })),
};
/** What only Node needs is left out of what pages load. */
const none = `import { UnsupportedError } from "../errors.js"; export async function importWebSocket() { throw new UnsupportedError("there is no WebSocket here"); }`;
const browserOnly = { name: "browser-only", setup: ({ onLoad }) => onLoad({ filter: /\/transports\/node\.ts$/ }, () => ({ contents: none, loader: "js" })) };
const sources = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((file) => /(?<!^notebook\/.*)\.ts$/.test(file));
// Pages never load ws; what serves as a page in Node, as in tests of applications, may.
const external = ["ws"];
const common = { bundle: true, minify: true, target: "es2022", sourcemap: true, sourcesContent: true, legalComments: "none", external };
// A script, or a CommonJS module, has no URL to connect back to: it takes the page's.
const old = { target: "es2017", define: { "import.meta.url": '""' }, supported: { "dynamic-import": true } };

rmSync("dist", { recursive: true, force: true });
rmSync("cjs", { recursive: true, force: true });
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], { stdio: "inherit" });
await build({ ...common, entryPoints: ["src/client/index.ts"], outfile: "dist/client.js", format: "esm", plugins: [browserOnly] });
await shrink("dist/client.js");
await build({ ...common, entryPoints: ["src/replay/index.ts"], outfile: "dist/replay.js", format: "iife" });
await build({
  ...common,
  ...old,
  plugins: [plugin],
  entryPoints: ["src/index.ts"],
  outfile: "dist/wslink.js",
  format: "iife",
  globalName: "wslink",
  footer: {
    js: 'typeof module==="object"&&module.exports?module.exports=wslink:typeof define==="function"&&define.amd?define([],()=>wslink):globalThis.wslink=wslink;',
  },
});
writeFileSync("dist/wslink.d.ts", 'export * from "./index.js";\nexport as namespace wslink;\n');

for (const file of sources) {
  const { code } = await transform(plainMembers(`src/${file}`), { ...old, loader: "ts", format: "cjs", platform: "node" });
  mkdirSync(dirname(`cjs/${file}`), { recursive: true });
  writeFileSync(`cjs/${file.replace(/\.ts$/, ".js")}`, code);
}
cpSync("dist", "cjs", { recursive: true, filter: (path) => !/\.(js|map)$|wslink\.d\.ts$/.test(path) });
writeFileSync("cjs/package.json", '{ "type": "commonjs", "sideEffects": false }\n');

// What `import` gets in Node.
for (const module of new Set(Object.values(ENTRIES))) {
  const file = `dist/node/${module}.js`;
  const target = `${"../".repeat(module.split("/").length + 1)}cjs/${module}.js`;
  mkdirSync(dirname(file), { recursive: true });
  const rest = hasDefault(module) ? `import module from "${target}";\nexport default module.default;\n` : "";
  writeFileSync(file, `export * from "${target}";\n${rest}`);
}

mkdirSync(served, { recursive: true });
for (const file of ["client.js", "client.js.map", "replay.js", "replay.js.map"]) copyFileSync(`dist/${file}`, served + file);
await buildNotebook();

/** Minifies once more what every page loads: the bundler folds less, which is a thirtieth of it gzipped. */
async function shrink(file) {
  const sourceMap = { content: readFileSync(`${file}.map`, "utf8"), url: `${basename(file)}.map`, includeSources: true };
  const { code, map } = await minify(readFileSync(file, "utf8"), { module: true, ecma: 2020, compress: { passes: 3, hoist_funs: true, inline: 1 }, sourceMap });
  writeFileSync(file, `${code}\n`);
  writeFileSync(`${file}.map`, map);
}

/** What notebooks load: the widget's module, with the script of its frame in it. It is served by Python alone. */
async function buildNotebook() {
  const options = { ...common, sourcemap: false };
  const { outputFiles } = await build({ ...options, entryPoints: ["src/notebook/frame.ts"], format: "iife", write: false });
  const script = outputFiles[0].text.replaceAll("</", "<\\/").trim();
  await build({
    ...options,
    entryPoints: ["src/notebook/widget.ts"],
    outfile: `${served}notebook.js`,
    format: "esm",
    define: { FRAME_SCRIPT: JSON.stringify(script) },
    banner: { js: `/* es-module-lexer:\n${readFileSync("node_modules/es-module-lexer/LICENSE", "utf8").replaceAll("*/", "")}*/` },
  });
}
