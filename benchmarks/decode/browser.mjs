// A page in Chromium that may read this project's files, and what its script makes of them. Nothing listens in on the page: a debugger
// would be sent every frame.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const ROOT = new URL("../../", import.meta.url);
const TYPES = { ".mjs": "text/javascript", ".js": "text/javascript", ".html": "text/html" };
const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];
const PATIENCE = 180_000; // milliseconds

/** Opens a page of this folder; returns what its script reports. */
export async function resultsOf(name, query) {
  const results = withResolvers();
  const server = createServer((request, response) => serve(request, response, results));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const url = `http://127.0.0.1:${server.address().port}/benchmarks/decode/${name}?${new URLSearchParams(query)}`;
  const profile = await mkdtemp(join(tmpdir(), "wslink-bench-"));
  const chromium = spawn(process.env.CHROMIUM ?? "/usr/bin/chromium", [...FLAGS, `--user-data-dir=${profile}`, url], { stdio: "ignore" });
  chromium.on("exit", () => results.reject(new Error("Chromium ended")));
  chromium.on("error", results.reject);
  const timer = setTimeout(() => results.reject(new Error("the page does not end")), PATIENCE);
  try {
    return await results.promise;
  } finally {
    clearTimeout(timer);
    const ended = once(chromium, "exit");
    if (chromium.kill("SIGTERM")) await ended;
    server.closeAllConnections();
    server.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function serve(request, response, results) {
  if (request.method === "POST") {
    const { error, ...figures } = JSON.parse(await text(request));
    if (error) results.reject(new Error(`in the page: ${error}`));
    else results.resolve(figures);
    response.end();
    return;
  }
  const file = fileURLToPath(new URL(`.${request.url.split("?")[0]}`, ROOT));
  // Isolated, so that its clock counts in steps of 5 us and not of 100.
  const isolated = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };
  response.writeHead(existsSync(file) ? 200 : 404, { "Content-Type": TYPES[extname(file)] ?? "text/plain", ...isolated });
  response.end(existsSync(file) ? await readFile(file) : "");
}

function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}
