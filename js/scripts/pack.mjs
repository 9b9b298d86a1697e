// Packs a copy of this directory, so that the build which that takes disturbs nothing here. Usage: pack.mjs DESTINATION; prints the archive's path.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL("..", import.meta.url));
const [destination] = process.argv.slice(2);
const copy = join(destination, "js");
mkdirSync(copy, { recursive: true });
for (const name of readdirSync(here)) {
  if (!["node_modules", "dist", "cjs", "tests", "type-tests", "fuzz"].includes(name)) cpSync(join(here, name), join(copy, name), { recursive: true });
}
symlinkSync(join(here, "node_modules"), join(copy, "node_modules"));
const listing = execFileSync("npm", ["pack", "--json", "--pack-destination", destination], { cwd: copy, encoding: "utf8" });
console.log(join(destination, /"filename": "(.*)"/.exec(listing)[1]));
