// Writes, for the package alone, the files that tools look for which do not know "exports". `--remove` takes them away again.
import { mkdirSync, rmSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { shims } from "./entries.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
for (const [path, source] of Object.entries(shims())) {
  if (!process.argv.includes("--remove")) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, source);
    continue;
  }
  rmSync(path, { force: true });
  try {
    if (/^src\/./.test(dirname(path))) rmdirSync(dirname(path));
  } catch {
    // It holds another of these files still, or is gone.
  }
}
