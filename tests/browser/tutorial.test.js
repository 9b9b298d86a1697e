// The pages of the tutorials in a browser, against the tutorials' own servers.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { promisify } from "node:util";
import { ROOT, launch } from "./demo.js";

const ENVIRONMENT = { ...process.env, PATH: `${dirname(process.env.WSLINK_PYTHON)}${delimiter}${process.env.PATH}`, PYTHONUNBUFFERED: "1" };

/** The blocks of a language in a tutorial. */
async function blocks(tutorial, language) {
  const text = await readFile(join(ROOT, `docs/${tutorial}.md`), "utf8");
  return [...text.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "gs"))].map(([, block]) => block);
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

describe("the tutorials' pages", { timeout: 120_000 }, () => {
  let browser, directory, page, errors, servers;

  before(async () => (browser = await launch()));
  after(() => browser?.close());

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "wslink-tutorial-"));
    servers = [];
    errors = [];
    page = await browser.newPage();
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => message.type() === "error" && !/favicon|404/.test(message.text()) && errors.push(message.text()));
  });

  afterEach(async () => {
    await page.close();
    for (const { process, ended } of servers) {
      process.kill("SIGTERM");
      await ended;
    }
    await rm(directory, { recursive: true });
    assert.deepEqual(errors, []);
  });

  /** Starts a command in the tutorial's directory; what it says when it serves. */
  async function start(command, ready) {
    const server = spawn("bash", ["-c", `exec ${command} 2>&1`], { cwd: directory, env: ENVIRONMENT, stdio: ["ignore", "pipe", "inherit"] });
    servers.push({ process: server, ended: once(server, "exit") });
    const said = [];
    for await (const line of createInterface(server.stdout)) {
      said.push(line);
      const found = ready.exec(line);
      if (found) {
        server.stdout.resume();
        return found[1];
      }
    }
    throw new Error(`it ended: ${said.join("\n")}`);
  }

  test("the plate of the simulation is drawn, and heated by the pointer", async () => {
    await mkdir(join(directory, "www"));
    const program = (await blocks("tutorials/simulation", "python")).slice(0, 3).join("\n").replace("port=8080", "port=0, ready_msg='ready'");
    await writeFile(join(directory, "server.py"), program.replace('{server.url}")', '{server.url}", flush=True)'));
    await writeFile(join(directory, "www", "index.html"), (await blocks("tutorials/simulation", "html"))[0]);
    await page.goto(await start("python server.py", /open (\S+)/));
    const red = () => page.evaluate(() => document.querySelector("canvas").getContext("2d").getImageData(64, 64, 1, 1).data[0]);
    await page.waitForFunction(() => document.querySelector("canvas").getContext("2d").getImageData(64, 64, 1, 1).data[3] === 255);
    assert.equal(await red(), 0);
    const box = await page.locator("canvas").boundingBox();
    await page.mouse.move(box.x + 250, box.y + 250);
    await page.mouse.down();
    await page.mouse.move(box.x + 258, box.y + 258, { steps: 4 });
    await page.waitForFunction(() => document.querySelector("canvas").getContext("2d").getImageData(64, 64, 1, 1).data[0] > 100);
    await page.mouse.up();
  });

  test("the kitchen of the FastAPI tutorial shows what is ordered", async () => {
    const port = await freePort();
    await writeFile(join(directory, "main.py"), (await blocks("tutorials/fastapi", "python")).slice(0, 4).join("\n"));
    await writeFile(join(directory, "index.html"), (await blocks("tutorials/fastapi", "html"))[0]);
    const [serve, order] = (await blocks("tutorials/fastapi", "bash")).map((command) => command.replace("8000", String(port)).trim());
    await start(serve, /running on (\S+)/);
    const shell = (command) => promisify(execFile)("bash", ["-c", command], { cwd: directory, env: ENVIRONMENT });
    await shell(order);
    await page.goto(`http://localhost:${port}/`);
    await page.getByText("soup").click();
    await page.getByText("soup, done by cook").waitFor();
    await shell(order.replace("}'", ", \"station\": \"cold\"}'").replace("soup", "salad"));
    await page.getByRole("combobox").selectOption("cold");
    await page.getByText("salad").waitFor();
    assert.deepEqual(await page.locator("li").allTextContents(), ["salad"]);
    await page.getByRole("combobox").selectOption("grill");
    await page.getByText("soup, done by cook").waitFor();
  });

  test("the viewer of tiles draws the rows of its filter, and the sun follows the pointer", async () => {
    await mkdir(join(directory, "www"));
    const program = (await blocks("tutorial", "python")).join("\n").replace("port=8080", "port=0");
    const script = (await blocks("tutorial", "js")).join("");
    const html = (await blocks("tutorial", "html"))[0].replace(/^ *\/\/ the JavaScript of this page.*$/m, () => script);
    await writeFile(join(directory, "server.py"), program);
    await writeFile(join(directory, "www", "index.html"), html);
    await page.goto(await start("python server.py", /serving on (\S+)/));
    const row = (number) => page.evaluate((y) => document.querySelector("canvas").getContext("2d").getImageData(100, y, 1, 1).data.join(), 64 * number + 30);
    await page.waitForFunction(() => document.querySelector("canvas").getContext("2d").getImageData(100, 64 * 6 + 30, 1, 1).data[3] === 255);
    for (const number of [0, 2, 7]) assert.equal(await row(number), "0,0,0,0");
    const before = await row(5);
    for (let tries = 0; (await row(5)) === before; tries++) {
      assert.ok(tries < 200, "the sun does not move");
      await page.mouse.move(20 + 2 * tries, 400);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
});
