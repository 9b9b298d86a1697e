// What can be imported of the package: its path there, and the module behind it (below src/, without extension).
import { readFileSync, writeFileSync } from "node:fs";

const COMPAT = ["CompositeClosureHelper", "ProcessLauncher", "SmartConnect", "WebsocketConnection", "WsLinkClient"];

export const ENTRIES = {
  ".": "index",
  "./client.js": "client/index",
  "./react": "frameworks/react",
  "./vue": "frameworks/vue",
  "./trace": "client/trace",
  "./src": "index",
  "./src/index.js": "index",
  ...Object.fromEntries(COMPAT.flatMap((name) => [`./src/${name}`, `./src/${name}/index.js`].map((path) => [path, `compat/${name}`]))),
  "./src/WebsocketConnection/session": "compat/WebsocketSession",
  "./src/WebsocketConnection/session.js": "compat/WebsocketSession",
  "./dist/wslink.js": "index",
};

/** The modules that have a default export. */
export const hasDefault = (module) => module.startsWith("compat/");

/**
 * The `exports` of package.json. In Node, `import` and `require` get one copy, so that an error's class is the same for both: the CommonJS one,
 * which modules cannot be required in place of by tools that do not know how. Bundlers take the modules, whichever way they are asked for.
 */
export function exportsOf() {
  const conditions = (module) => {
    const required = { types: `./cjs/${module}.d.ts`, default: `./cjs/${module}.js` };
    const types = `./dist/${module}.d.ts`;
    return {
      node: { import: { types, default: `./dist/node/${module}.js` }, require: required },
      module: `./dist/${module}.js`,
      import: { types, default: `./dist/${module}.js` },
      require: required,
    };
  };
  return { ...Object.fromEntries(Object.entries(ENTRIES).map(([path, module]) => [path, conditions(module)])), "./package.json": "./package.json" };
}

/** Files of the package for tools that do not know `exports`, by their paths: those find only what really is there. */
export function shims() {
  const files = {};
  for (const [path, module] of Object.entries(ENTRIES)) {
    const file = /^\.\/(react|vue|trace)$/.test(path) ? `${path}.js` : path;
    if (!/^\.\/(src\/|client|react|vue|trace).*\.js$/.test(file)) continue;
    const target = `${"../".repeat(path.split("/").length - 2) || "./"}cjs/${module}.js`;
    const source = `export * from "${target}";\n${hasDefault(module) ? `export { default } from "${target}";\n` : ""}`;
    files[file.slice(2)] = source;
    files[file.slice(2).replace(/\.js$/, ".d.ts")] = source;
  }
  return files;
}

// node scripts/entries.mjs: writes the exports into package.json.
if (process.argv[1] === new URL(import.meta.url).pathname) {
  const path = new URL("../package.json", import.meta.url);
  const manifest = JSON.parse(readFileSync(path, "utf8"));
  manifest.exports = exportsOf();
  manifest.files = ["dist", "cjs", ...Object.keys(shims()), "LICENSE"];
  writeFileSync(path, `${JSON.stringify(manifest, undefined, 2)}\n`);
}
