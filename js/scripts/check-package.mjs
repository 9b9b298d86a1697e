// Has publint and "are the types wrong" look at the package as it is published.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const directory = mkdtempSync(join(tmpdir(), "wslink-check-"));
const here = fileURLToPath(new URL("..", import.meta.url));
const run = (command, ...args) => execFileSync(command, args, { cwd: here, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
try {
  const archive = run(process.execPath, "scripts/pack.mjs", directory).trim();
  run("node_modules/.bin/publint", "run", archive, "--strict");
  run("node_modules/.bin/attw", archive, "--format", "ascii");
} catch (error) {
  console.error(error.stdout ?? error);
  process.exitCode = 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}
