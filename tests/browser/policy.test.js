// Pages that were built by no tool: under a strict Content Security Policy, and from a web server that knows nothing of wslink.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ROOT, launch, start } from "./demo.js";

const PYTHON = process.env.WSLINK_PYTHON;
const SECRET = "of-the-pages";
const TYPES = { html: "text/html", js: "text/javascript" };
const SERVER = `
from wslink import App
app = App()
tiles = app.topic("demo.tile")

@app.method("demo.paint")
def paint(red: int) -> int:
    tiles.publish({"pixels": bytes([red, 0, 99, 255])})
    return red + 1
`;

/** What each page does: it calls, and shows what was published for it. */
const USE = `
  const { promise, resolve } = Promise.withResolvers();
  await link.subscribe("demo.tile", ({ pixels }) => resolve([...pixels])).ready;
  const result = await link.call("demo.paint", [200]);
  document.title = result + " and " + (await promise);
`;

/** A web server as others are: the files of a directory. */
async function files(directory) {
  const server = createServer(async (request, response) => {
    const name = request.url.slice(1);
    const found = await readFile(join(directory, name)).catch(() => undefined);
    response.writeHead(found ? 200 : 404, { "Content-Type": TYPES[name.split(".")[1]] ?? "text/plain" }).end(found);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { origin: `http://127.0.0.1:${server.address().port}`, stop: () => new Promise((resolve) => server.close(resolve)) };
}

async function titleOf(page, address) {
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) errors.push(message.text());
  });
  await page.goto(address);
  await page.waitForFunction(() => document.title !== "", undefined, { timeout: 20_000 }).catch(() => undefined);
  return [await page.title(), errors];
}

describe("pages without a build tool", { timeout: 90_000 }, () => {
  let browser, directory, server, other;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "wslink-policy-"));
    await mkdir(join(directory, "www"));
    const policy = /```json\n(.*?)```/s.exec(await readFile(join(ROOT, "docs/security.md"), "utf8"))[1];
    await writeFile(join(directory, "headers.json"), policy);
    await writeFile(join(directory, "server.py"), SERVER);
    await writeFile(join(directory, "www", "index.html"), '<!doctype html><title></title><script type="module" src="page.js"></script>');
    await writeFile(join(directory, "www", "page.js"), `import { connect } from "/wslink/client.js"; const link = await connect(); ${USE}`);
    for (const place of ["www", "."]) await writeFile(join(directory, place, "favicon.ico"), "");
    other = await files(directory);
    const environment = { ...process.env, WSLINK_SECRET: SECRET, WSLINK_HTTP_HEADERS: "headers.json", PYTHONUNBUFFERED: "1" };
    const options = ["-m", "wslink", "serve", "server:app", "--port", "0", "--content", "www", "--origins", other.origin];
    [browser, server] = await Promise.all([launch(), start(PYTHON, options, { cwd: directory, env: environment })]);
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
    await other?.stop();
    if (directory) await rm(directory, { recursive: true });
  });

  test("a page works under the strict policy of the security page", async () => {
    const context = await browser.newContext();
    const [title, errors] = await titleOf(await context.newPage(), server.url);
    assert.deepEqual([title, errors], ["201 and 200,0,99,255", []]);
    await context.close();
  });

  test("files of the npm package, copied to any web server, connect to a server that names its origin", async () => {
    const url = JSON.stringify(server.url.replace("http", "ws").replace(/\/(\?.*)?$/, "/ws"));
    const made = (head, script) => `<!doctype html><meta charset="utf-8"><title></title>${head}<script type="module">${script}${USE}</script>`;
    const secret = JSON.stringify(SECRET);
    for (const name of ["client.js", "wslink.js"]) await copyFile(join(ROOT, "js/dist", name), join(directory, name));
    await writeFile(join(directory, "module.html"), made("", `import { connect } from "./client.js"; const link = await connect(${url}, { secret: ${secret} });`));
    await writeFile(join(directory, "script.html"), made('<script src="wslink.js"></script>', `const link = await wslink.connect(${url}, { secret: ${secret} });`));
    const context = await browser.newContext();
    for (const name of ["module.html", "script.html"]) {
      const page = await context.newPage();
      assert.deepEqual(await titleOf(page, `${other.origin}/${name}`), ["201 and 200,0,99,255", []], name);
      await page.close();
    }
    await context.close();
  });
});
