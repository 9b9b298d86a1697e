// trame's own page with this package in place of the client that is built into it, under the name @kitware/wslink.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT, launch } from "../browser/demo.js";
import { open, serve } from "./support.js";

const { build } = createRequire(join(ROOT, "js/package.json"))("esbuild");

/** What trame's clients import of @kitware/wslink, as a script that puts it into `alias`. */
async function bundle(t) {
  const project = await mkdtemp(join(tmpdir(), "wslink-alias-"));
  t.after(() => rm(project, { recursive: true }));
  await mkdir(join(project, "node_modules/@kitware"), { recursive: true });
  await symlink(join(ROOT, "js"), join(project, "node_modules/@kitware/wslink"));
  const source = `
    import SmartConnect from "@kitware/wslink/src/SmartConnect";
    import WsLinkClient from "@kitware/wslink/src/WsLinkClient";
    const newInstance = (...given) => ((globalThis.alias.used += 1), WsLinkClient.newInstance(...given));
    globalThis.alias = { used: 0, SmartConnect, WsLinkClient: { ...WsLinkClient, newInstance } };`;
  await writeFile(join(project, "entry.js"), source);
  const { outputFiles } = await build({ entryPoints: ["entry.js"], absWorkingDir: project, bundle: true, write: false, format: "iife" });
  return outputFiles[0].text;
}

test("trame 4's page runs on the package under the name @kitware/wslink", { timeout: 120_000 }, async (t) => {
  const [ours, server, browser] = await Promise.all([bundle(t), serve("tests.deployment.trame_app"), launch()]);
  t.after(() => Promise.all([browser.close(), server.stop()]));
  const context = await browser.newContext();
  let replaced = 0;
  await context.route(/\/assets\/index-.*\.js/, async (route) => {
    const response = await route.fetch();
    // The one place where its client is put together: WsLinkClient.setSmartConnectClass(SmartConnect).
    const body = (await response.text()).replace(/([\w$]+)\.setSmartConnectClass\([\w$]+\);/g, (_, client) => {
      replaced += 1;
      return `${client}=globalThis.alias.WsLinkClient;${client}.setSmartConnectClass(globalThis.alias.SmartConnect);`;
    });
    await route.fulfill({ response, body: ours + body });
  });
  const [one, two] = [await open(context, server.url), await open(context, server.url)];
  const number = ({ page }, value) => page.locator("#number", { hasText: `The number is ${value}.` }).waitFor();
  await number(one, 41);
  await one.page.getByRole("button", { name: "Up" }).click(); // the page to Python, and back to every page
  await Promise.all([number(one, 42), number(two, 42)]);
  assert.equal(replaced, 2, "once for each page");
  assert.equal(await one.page.evaluate(() => globalThis.alias.used), 1);
  assert.deepEqual([...one.errors, ...two.errors], []);
});
