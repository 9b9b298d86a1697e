// `node pages.mjs URL`: two people open a trame application in Chromium, each in a browser profile of their own, and use it at the same time.
// trame's own client starts their sessions. Writes the addresses of their WebSockets, one a line.

import assert from "node:assert/strict";
import { launch } from "../browser/demo.js";

const [url] = process.argv.slice(2);

async function visit(browser, clicks) {
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(60_000); // a busy machine is no failure
  const [errors, sockets] = [[], []];
  page.on("pageerror", (error) => errors.push(`page: ${error.message}`));
  page.on("console", (message) => message.type() === "error" && errors.push(`console: ${message.text()}`));
  page.on("response", (response) => response.status() >= 400 && errors.push(`${response.status()} ${response.url()}`));
  page.on("websocket", (socket) => sockets.push(socket.url()));
  await page.goto(url);
  await page.getByText("The number is 41.").waitFor();
  for (let number = 42; number <= 41 + clicks; number++) {
    await page.getByRole("button", { name: "Up" }).click();
    await page.getByText(`The number is ${number}.`).waitFor();
  }
  assert.deepEqual(errors, []);
  assert.equal(sockets.length, 1);
  return sockets[0];
}

const browser = await launch();
try {
  const sockets = await Promise.all([1, 2].map((clicks) => visit(browser, clicks)));
  console.log(sockets.join("\n"));
} finally {
  await browser.close();
}
