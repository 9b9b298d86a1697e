// What becomes of a link to this project's server whose line is cut, or whose server is restarted.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Link, type Reconnected, connect } from "../../src/index.js";
import { Line } from "../support/line.js";
import { PythonServer } from "./python.js";

const OPTIONS = { secret: "s3cret", reconnect: { initial: 20, max: 100 } };

let server: PythonServer;
let line: Line;
let link: Link;
let verdicts: Reconnected[];

/** Seconds of silence after which either side looks whether the other is alive. */
process.env.WSLINK_HEART_BEAT = "1";

async function begin(...options: string[]): Promise<void> {
  server = await PythonServer.start("ours", ...options);
  line = await Line.to(server.url);
  link = await connect(line.url, OPTIONS);
  link.addEventListener("reconnected", ({ detail }) => verdicts.push(detail));
}

beforeEach(() => void (verdicts = []));

afterEach(async () => {
  await link.close();
  await line.close();
  await server.stop();
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until(look: () => boolean): Promise<void> {
  for (let tries = 0; tries < 2000 && !look(); tries++) await pause(10);
  expect(look()).toBe(true);
}

describe.each(["picows", "aiohttp"])("served by %s", (engine) => {
  test("nothing is lost, nothing doubled, and order kept, however often the line is cut", async () => {
    await begin(engine);
    const { clientId, epoch } = link;
    const numbers: number[] = [];
    const subscription = link.subscribe<{ number: number }>("test.numbers", ({ number }) => numbers.push(number));
    await subscription.ready;
    const streamed = link.call("test.stream_numbers", [400, 0.004]);
    const cuts = (async () => {
      for (let n = 0; n < 40; n++) {
        // Some of them in the middle of hello.
        await pause(Math.random() * (n % 3 === 0 ? 6 : 100));
        line.cut();
      }
    })();
    const results: Promise<{ number: number; data: Uint8Array }>[] = [];
    for (let n = 0; n < 600; n++) {
      const size = n % 60 === 3 ? 500_000 : 20;
      results.push(link.call("test.execute", [n], { data: n % 120 === 3 ? new Blob([new Uint8Array(size)]) : new Uint8Array(size) }));
      await pause(3);
    }
    await cuts;
    const all = await Promise.all(results);
    await streamed;
    await until(() => numbers.length === 400);
    expect(all.map(({ number }) => number)).toEqual([...results.keys()]);
    const executed = await link.call<number[]>("test.executed");
    expect([...executed].sort((a, b) => a - b)).toEqual([...results.keys()]);
    expect(numbers).toEqual([...Array(400).keys()]);
    expect([link.clientId, link.epoch]).toEqual([clientId, epoch]);
    expect(verdicts.length).toBeGreaterThan(10);
    expect(verdicts.filter(({ resumed }) => !resumed)).toEqual([]);
  });

  test("where the window is over, a session begins anew", async () => {
    await begin(engine, String(2 ** 30), "0", "0.2");
    const { clientId, epoch } = link;
    const numbers: number[] = [];
    await link.subscribe<{ number: number }>("test.numbers", ({ number }) => numbers.push(number)).ready;
    const uncertain = expect(link.call("test.sleep", [30])).rejects.toMatchObject({ name: "ConnectionError" });
    const again = link.call("test.sleep", [0.5], {}, { retry: true });
    await pause(50);
    const { url } = line;
    await line.close();
    await pause(600);
    expect(link.state).toBe("reconnecting");
    line = await Line.to(server.url, Number(new URL(url).port));
    await until(() => verdicts.length === 1);
    expect(verdicts[0]).toMatchObject({ resumed: false, reason: "expired" });
    await uncertain;
    await again;
    expect(link.clientId).not.toBe(clientId);
    expect(link.epoch).not.toBe(epoch);
    await link.call("test.publish", [3]);
    await until(() => numbers.length === 3);
  });
});

test("a server that was restarted knows nothing of before, and the link goes on", async () => {
  await begin();
  const numbers: number[] = [];
  await link.subscribe<{ number: number }>("test.numbers", ({ number }) => numbers.push(number), {}).ready;
  const { port } = new URL(server.url);
  await server.stop();
  await until(() => link.state === "reconnecting");
  const late = link.call("test.add", [40], { b: 2 });
  server = await PythonServer.start("ours", "auto", String(2 ** 30), port);
  expect(await late).toBe(42);
  expect(verdicts).toMatchObject([{ resumed: false, reason: "restarted" }]);
  await link.call("test.publish", [2]);
  await until(() => numbers.length === 2);
});

test("what a caller gives up is cancelled, while there is a connection and while there is none", async () => {
  await begin();
  const aborts = [new AbortController(), new AbortController()];
  const calls = aborts.map(({ signal }, n) => link.call("test.sleep", [40 + n], {}, { signal }).catch(() => undefined));
  await link.call("test.echo", [1]);
  aborts[0]?.abort();
  await pause(100);
  expect(await link.call("test.cancelled")).toEqual([40]);
  // At the moment at which the connection is lost.
  link.addEventListener("statechange", () => aborts[1]?.abort(), { once: true });
  line.cut();
  await Promise.all(calls);
  await until(() => verdicts.length > 0);
  await pause(100);
  expect(await link.call("test.cancelled")).toEqual([40, 41]);
  expect(verdicts).toMatchObject([{ resumed: true }]);
});

test("a line that has fallen silent is given up, and the session goes on over another", async () => {
  await begin();
  const slow = link.call("test.sleep", [1]);
  await pause(100);
  line.fallSilent();
  const begun = performance.now();
  expect(await link.call("test.add", [1], {}, { timeout: 20_000 })).toBe(2);
  await slow;
  expect(verdicts).toMatchObject([{ resumed: true }]);
  expect(performance.now() - begun).toBeGreaterThan(5000);
});
