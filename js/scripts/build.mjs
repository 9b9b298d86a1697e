// Writes dist/ (ES modules with types, one module for browsers, one script for script tags) and the copy of the browser module which
// the Python server serves.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL("..", import.meta.url));
const served = fileURLToPath(new URL("../../src/wslink/static/", import.meta.url));
process.chdir(here);

const common = { bundle: true, minify: true, target: "es2022", sourcemap: true, sourcesContent: true, legalComments: "none" };

rmSync("dist", { recursive: true, force: true });
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], { stdio: "inherit" });
await build({ ...common, entryPoints: ["src/client/index.ts"], outfile: "dist/client.js", format: "esm" });
await build({
  ...common,
  entryPoints: ["src/index.ts"],
  outfile: "dist/wslink.js",
  format: "iife",
  globalName: "wslink",
  // A script has no URL of its own to connect back to: it takes the page's.
  define: { "import.meta.url": '""' },
  footer: {
    js: 'typeof module==="object"&&module.exports?module.exports=wslink:typeof define==="function"&&define.amd?define([],()=>wslink):globalThis.wslink=wslink;',
  },
});
// Node takes a .js file of this package for a module, so what require() gets needs another name.
copyFileSync("dist/wslink.js", "dist/wslink.cjs");
writeFileSync("dist/wslink.d.ts", 'export * from "./index.js";\nexport as namespace wslink;\n');
writeFileSync("dist/wslink.d.cts", 'export * from "./index.js";\n');
mkdirSync(served, { recursive: true });
for (const file of ["client.js", "client.js.map"]) copyFileSync(`dist/${file}`, served + file);
