// The documentation site that scripts/docs has built, in Chromium and file by file.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, join, normalize } from "node:path";
import { after, before, describe, test } from "node:test";
import { launch } from "../browser/demo.js";

const SITE = process.env.WSLINK_SITE ?? new URL("../../build/site", import.meta.url).pathname;
const TYPES = { html: "text/html", js: "text/javascript", css: "text/css", json: "application/json", svg: "image/svg+xml", png: "image/png", webp: "image/webp" };
const [VERSION] = JSON.parse(readFileSync(join(SITE, "versions.json"), "utf8"));
const HOME = join(SITE, VERSION);

/** A second version, as if the site had been built for it too; it lacks one page. */
const OLDER = "0.1";
const GONE = "docs/faq.html";

/** What a static host answers: files, and index.html for directories. */
function serve(request, response) {
  let path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
  if (path === "/versions.json") return response.writeHead(200, { "Content-Type": TYPES.json }).end(JSON.stringify([VERSION, OLDER]));
  if (path === `/${OLDER}/${GONE}`) return response.writeHead(404).end();
  path = path.replace(`/${OLDER}/`, `/${VERSION}/`);
  const file = join(SITE, path.endsWith("/") ? `${path}index.html` : path);
  if (path === "/favicon.ico") return response.writeHead(204).end(); // browsers ask for it unasked
  if (!file.startsWith(SITE) || !existsSync(file)) return response.writeHead(404).end();
  response.writeHead(200, { "Content-Type": TYPES[file.split(".").at(-1)] ?? "application/octet-stream" }).end(readFileSync(file));
}

const pages = readdirSync(HOME, { recursive: true }).filter((name) => name.endsWith(".html") && !name.startsWith("_static"));
const anchors = new Map();
function anchorsOf(file) {
  if (!anchors.has(file)) anchors.set(file, new Set([...readFileSync(file, "utf8").matchAll(/\s(?:id|name)="([^"]+)"/g)].map((match) => match[1])));
  return anchors.get(file);
}

test("every link and anchor of the site leads somewhere", () => {
  assert.ok(pages.length > 40, `only ${pages.length} pages`);
  const dead = [];
  for (const page of pages) {
    const markup = readFileSync(join(HOME, page), "utf8").replace(/<script[\s\S]*?<\/script>/g, "");
    for (const [, target] of markup.matchAll(/\s(?:href|src)="([^"]*)"/g)) {
      if (/^(?:[a-z]+:|\/\/)/.test(target)) continue;
      const [path, anchor] = target.replace(/\?[^#]*/, "").split("#");
      const file = path ? join(HOME, dirname(page), decodeURIComponent(path)) : join(HOME, page);
      const there = file.endsWith("/") ? `${file}index.html` : file;
      if (!existsSync(there)) dead.push(`${page}: ${target}`);
      else if (anchor && there.endsWith(".html") && !anchorsOf(there).has(decodeURIComponent(anchor))) dead.push(`${page}: ${target}`);
    }
  }
  assert.deepEqual(dead, []);
});

describe("in a browser", { timeout: 120_000 }, () => {
  let server, browser, page, url;
  const errors = [];

  before(async () => {
    server = createServer(serve).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    url = `http://127.0.0.1:${server.address().port}`;
    browser = await launch();
    page = await browser.newPage();
    page.setDefaultTimeout(30_000);
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  });
  after(async () => {
    await browser?.close();
    server?.close();
    assert.deepEqual(errors, []);
  });

  test("the front page leads to the newest version, and lists versions", async () => {
    await page.goto(url);
    await page.waitForURL(`**/${VERSION}/`);
    assert.equal(await page.getByLabel("version of the documentation").inputValue(), VERSION);
  });

  test("the list of versions leads to the same page of another, or to its first", async () => {
    for (const [from, to] of [["docs/settings.html", "docs/settings.html"], [GONE, ""]]) {
      await page.goto(`${url}/${VERSION}/${from}`);
      await page.getByLabel("version of the documentation").selectOption(OLDER);
      await page.waitForURL(`${url}/${OLDER}/${to}`);
      assert.equal(await page.getByLabel("version of the documentation").inputValue(), OLDER);
    }
    errors.splice(0, 1); // the page that the older version does not have
  });

  test("the search finds a setting", async () => {
    await page.goto(`${url}/${VERSION}/search.html?q=WSLINK_MAX_MSG_SIZE`);
    await page.locator("#search-results").getByRole("link", { name: /settings/i }).first().waitFor();
  });

  test("the reference holds methods of both languages", async () => {
    await page.goto(`${url}/${VERSION}/reference/python.html`);
    await page.locator('[id="wslink.App.topic"]').waitFor();
    await page.goto(`${url}/${VERSION}/reference/typescript/index/interfaces/Link.html`);
    await page.getByRole("heading", { name: "subscribe()" }).first().waitFor();
    for (const framework of ["react", "vue"]) {
      await page.goto(`${url}/${VERSION}/reference/typescript/wslink/${framework}/functions/useTopic.html`);
      await page.getByRole("heading", { name: "useTopic()" }).first().waitFor();
    }
  });

  test("the playground evaluates a filter with the client's code", async () => {
    await page.goto(`${url}/${VERSION}/playground.html`);
    const delivered = () => page.locator("#playground-result tbody tr td:last-child").allTextContents();
    assert.deepEqual(await delivered(), ["yes", "no", "no", "yes"]);
    await page.getByLabel("Filter").fill('{"row": {"gte": 5}}');
    assert.deepEqual(await delivered(), ["no", "yes", "no", "no"]);
    await page.getByLabel("Filter").fill('{"row": ');
    assert.match(await page.locator("#playground-error").textContent(), /^filter: /);
  });
});
