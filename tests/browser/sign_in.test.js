// Signing in with OpenID Connect in Chromium, at a provider of another site, which asks its user.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ROOT, launch, start } from "./demo.js";
import { PYTHON, launching, overview, waiting } from "./launcher.js";

describe("signing in", { timeout: 120_000 }, () => {
  let folder, provider, launcher, browser, site;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "wslink-sign-in-"));
    await writeFile(join(folder, "secret"), "the secret of the launcher");
    provider = await start(PYTHON, ["-m", "tests.launcher.provider"], { cwd: ROOT });
    const port = await freePort();
    site = `http://localhost:${port}`; // the provider's is 127.0.0.1: cookies see two sites
    const options = {
      issuer: provider.url, client_id: "viewers", client_secret_file: join(folder, "secret"), claim: "email",
      redirect_uri: `${site}/lab/viewers/login/callback`,
    };
    launcher = await launching(() => ({ viewer: waiting() }), {}, { port, content: "", get: true, delete: true, authentication: { type: "openid", options } });
    browser = await launch();
  });

  after(async () => {
    const { code, log } = (await launcher?.stop()) ?? {};
    await provider?.stop();
    await browser?.close();
    await rm(folder, { recursive: true });
    assert.equal(code, 0);
    assert.equal(log, "", "the launcher logged something");
  });

  test("who is refused is told why; who is let in starts a session, comes back to it and signs out", async () => {
    const page = await (await browser.newContext()).newPage();
    page.setDefaultTimeout(30_000);
    const errors = [];
    page.on("pageerror", (error) => errors.push(`page: ${error.message}`));
    page.on("console", (message) => {
      // That something is refused, or the session has no page, is no error of this one.
      if (message.type() === "error" && !/status of (40[0134]|502)/.test(message.text())) errors.push(`console: ${message.text()}`);
    });
    await page.goto(`${site}/`);
    await page.getByRole("link", { name: "Sign in" }).click();
    await page.getByRole("button", { name: "Refuse" }).click();
    await page.getByRole("alert").filter({ hasText: "The identity provider refused the sign-in: access_denied" }).waitFor();
    assert.notEqual(await page.evaluate(() => getComputedStyle(document.querySelector(".card")).borderTopStyle), "none");
    await page.goto(`${site}/lab/viewers/login/callback?state=x&code=y`); // which was made up
    await page.getByRole("alert").filter({ hasText: "Begin again." }).waitFor();
    await page.getByRole("link", { name: "Back to the start" }).click();
    await page.getByRole("link", { name: "Sign in" }).waitFor();
    assert.equal(await page.locator("main form").count(), 0);

    await page.getByRole("link", { name: "Sign in" }).click();
    await page.getByRole("button", { name: "Sign in as Ada" }).click();
    await page.getByRole("button", { name: "Start viewer" }).click();
    await page.locator("main .session code").waitFor();
    assert.equal(page.url(), `${site}/`);
    const [{ id, client }] = (await overview(launcher)).sessions;
    assert.equal(client, "ada@example.org");
    assert.equal(await page.evaluate(() => document.cookie), ""); // no script gets at who has signed in
    await page.reload();
    await page.getByRole("button", { name: /^Open viewer, since/ }).click();
    await page.locator("#own .session code", { hasText: id }).waitFor();

    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("link", { name: "Sign in" }).waitFor();
    assert.equal(await page.locator("main form").count(), 0);
    assert.equal(await page.getByRole("button", { name: /^Open viewer/ }).count(), 0);
    assert.equal(await page.evaluate(async () => (await fetch("lab/viewers/applications")).status), 401);
    assert.equal((await overview(launcher)).sessions.length, 1); // which its owner may come back to
    assert.deepEqual(errors, []);
  });
});

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
