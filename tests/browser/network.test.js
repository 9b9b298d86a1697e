// A page that calls, listens and streams all the time, and whose network is switched off and on: nothing is lost, and nothing comes twice.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { Cable } from "./cable.js";
import { ROOT, launch as launchChromium, start } from "./demo.js";
import { isInstalled, launch as launchFirefox } from "./firefox.js";

const PYTHON = process.env.WSLINK_PYTHON;
/** As tests/history/server.py and client.py have them. */
const GIVEN = {
  name: "page", seed: 1, pace: 0.1, topics: 2, keys: 3, sizes: [...Array(16).fill(10), 2000, 2000, 20_000, 200_000],
  large: 8 * 2 ** 20, largeEvery: 400, largeAt: 60, maxWaiting: 40,
};
/** How soon a page that is online again has its link back, in milliseconds; its random wait is as a rule far longer. */
const AT_ONCE = 2500;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Its WebSockets stand still while there is no network: only after some silence the link gives its own up. */
async function chromium() {
  const browser = await launchChromium();
  const context = await browser.newContext();
  const page = await context.newPage();
  return {
    goto: (url) => page.goto(url),
    evaluate: (run, argument) => page.evaluate(run, argument),
    waitForFunction: (run) => page.waitForFunction(run, undefined, { polling: 20, timeout: 60_000 }),
    setOffline: (offline) => context.setOffline(offline),
    close: () => browser.close(),
  };
}

/** Closes its connections at once, but for those to its own machine, which the cable takes care of. */
async function firefox(cable) {
  const page = await launchFirefox();
  const { setOffline } = page;
  return Object.assign(page, {
    setOffline: async (offline) => {
      if (!offline) cable.plug(); // before the page is told and tries at once
      await setOffline.call(page, offline);
      if (offline) cable.pull();
    },
  });
}

/** What is wrong with a history, as tests/history/checker.py finds it. */
async function check(record, logs) {
  const checker = spawn(PYTHON, ["-m", "tests.history.checker"], { cwd: ROOT, stdio: ["pipe", "pipe", "inherit"] });
  checker.stdin.end(JSON.stringify([record, logs]));
  const [found] = await Promise.all([text(checker.stdout), once(checker, "exit")]);
  return JSON.parse(found);
}

const answered = (page) => page.evaluate(() => window.test.log.answered.length);

async function speak(page, url) {
  await page.goto(url);
  await page.waitForFunction(() => "begin" in window);
  await page.evaluate((given) => window.begin(given), GIVEN);
  await page.waitForFunction(() => window.test.log.answered.length > 10);
}

/** Switches the network off and on again, and waits until calls are answered again. */
async function interrupt(page, off) {
  await page.setOffline(true);
  await off();
  await page.setOffline(false);
  const before = await answered(page);
  await page.waitForFunction(() => window.test.link.state === "open");
  while ((await answered(page)) < before + 10) await pause(20);
}

const BROWSERS = {
  Chromium: { open: chromium, cuts: 1 },
  "Firefox ESR": { open: firefox, cuts: 2, skip: !isInstalled && "firefox-esr is not installed" },
};

describe("a page whose network is switched off and on", { timeout: 180_000, concurrency: 2 }, () => {
  for (const [name, { open, cuts, skip }] of Object.entries(BROWSERS)) {
    test(`in ${name} loses nothing, gets nothing twice, and is back at once`, { skip }, async () => {
      const server = await start(PYTHON, ["-m", "tests.history.server", "picows", "--pace", "0.1", "--content", "tests/history/page"], { cwd: ROOT });
      const cable = await Cable.to(server.url);
      const page = await open(cable);
      try {
        await speak(page, cable.url);
        await interrupt(page, () => pause(500));
        await interrupt(page, async () => {
          await page.waitForFunction(() => window.test.link.state === "reconnecting");
          await pause(300);
        });
        const seen = await page.evaluate(() => window.test.seen);
        const { record, log } = await page.evaluate(() => window.test.end());
        assert.deepEqual(await check(record, { page: log }), []);
        assert.deepEqual(log.verdicts, Array(cuts).fill([true, null]));
        const states = seen.map(([what]) => what).filter((what) => !what.endsWith("line"));
        assert.deepEqual(states, Array(cuts).fill(["reconnecting", "open", "reconnected"]).flat());
        const online = seen.findLast(([what]) => what === "online")[1];
        const back = seen.findLast(([what]) => what === "reconnected")[1];
        assert.ok(back > online && back - online < AT_ONCE, `back ${Math.round(back - online)} ms after online`);
      } finally {
        await page.close();
        cable.close();
        await server.stop();
      }
    });
  }
});
