// Writes dist/ (ES modules with types, and one file for browsers) and the copy of that file which the Python server serves.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL("..", import.meta.url));
const served = fileURLToPath(new URL("../../src/wslink/static/", import.meta.url));
process.chdir(here);

rmSync("dist", { recursive: true, force: true });
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], { stdio: "inherit" });
await build({
  entryPoints: ["src/index.ts"],
  outfile: "dist/client.js",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  sourcemap: true,
  sourcesContent: true,
  legalComments: "none",
});
mkdirSync(served, { recursive: true });
for (const file of ["client.js", "client.js.map"]) copyFileSync(`dist/${file}`, served + file);
