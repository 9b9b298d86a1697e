// Writes, for the package alone, src/<Name>/index.js and its types: tools that do not know "exports" look for released deep imports there.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const { files } = JSON.parse(readFileSync("package.json", "utf8"));
for (const folder of files.filter((name) => name.startsWith("src/"))) {
  rmSync(folder, { recursive: true, force: true });
  if (process.argv.includes("--remove")) continue;
  const target = folder.replace("src/", "../../dist/compat/");
  const source = `export * from "${target}.js";\nexport { default } from "${target}.js";\n`;
  mkdirSync(folder);
  for (const file of ["index.js", "index.d.ts"]) writeFileSync(`${folder}/${file}`, source);
}
