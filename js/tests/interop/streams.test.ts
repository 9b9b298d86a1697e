// Streams between this client and this project's server, over a whole line and one that is cut.
/* eslint @typescript-eslint/require-await: off -- a generator is a source, whether or not it waits */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CallError, type Link, UnsupportedError, UsageError, connect } from "../../src/index.js";
import { Line } from "../support/line.js";
import { PythonServer } from "./python.js";

interface Item {
  readonly number: number;
  readonly data: Uint8Array;
}

interface Collected {
  readonly name: string;
  readonly numbers: number[];
  readonly total: number;
}

let server: PythonServer;
let line: Line;
let link: Link;
let returns: boolean[];

async function begin(...options: string[]): Promise<void> {
  server = await PythonServer.start("ours", ...options);
  line = await Line.to(server.url);
  link = await connect(line.url, { secret: "s3cret", reconnect: { initial: 20, max: 100 } });
  link.addEventListener("reconnected", ({ detail }) => returns.push(detail.resumed));
}

beforeEach(() => void (returns = []));

afterEach(async () => {
  await link.close();
  await line.close();
  await server.stop();
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const upTo = (count: number): number[] => [...Array(count).keys()];

function part(number: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  new DataView(bytes.buffer).setUint32(0, number, true);
  return bytes;
}

async function* parts(count: number, size: (number: number) => number, closed: () => void = () => undefined): AsyncGenerator<Uint8Array> {
  try {
    for (let number = 0; number < count; number++) yield part(number, size(number));
  } finally {
    closed();
  }
}

async function cutOften(times: number): Promise<void> {
  for (let n = 0; n < times; n++) {
    await pause(Math.random() * (n % 3 === 0 ? 6 : 60));
    line.cut();
  }
}

async function closedWith(text: string): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if ((await link.call<string[]>("test.closed")).includes(text)) return;
    await pause(10);
  }
  expect(await link.call("test.closed")).toContain(text);
}

describe.each(["picows", "aiohttp"])("served by %s", (engine) => {
  test("STR-1, RES-6: a streamed result loses, doubles and disorders nothing, however often the line is cut", async () => {
    await begin(engine);
    const cuts = cutOften(25);
    const seen: Item[] = [];
    for await (const item of link.stream<Item>("test.count", [1500], { size: 60_000 }, { window: 32 })) {
      seen.push(item);
      if (seen.length % 10 === 0) await pause(5);
    }
    await cuts;
    expect(seen.map(({ number }) => number)).toEqual(upTo(1500));
    expect(seen.map(({ data }) => data.length)).toEqual(upTo(1500).map((n) => (n % 10 === 3 ? 60_000 : 5)));
    expect(returns.length).toBeGreaterThan(1);
    expect(returns).not.toContain(false);
  });

  test("STR-4, STR-7: so does a streamed argument", async () => {
    await begin(engine);
    const cuts = cutOften(25);
    const slow = async function* (): AsyncGenerator<Uint8Array> {
      for await (const one of parts(1500, (n) => (n % 10 === 3 ? 60_000 : 5))) {
        yield one;
        if (one.length > 5) await pause(5);
      }
    };
    const collected = await link.call<Collected>("test.collect", ["x", slow()]);
    await cuts;
    expect(collected.numbers).toEqual(upTo(1500));
    expect(collected.total).toBe(150 * 60_000 + 1350 * 5);
    expect(returns.length).toBeGreaterThan(1);
    expect(returns).not.toContain(false);
  });
});

test("STR-2, STR-3: leaving the loop closes the generator within the window", async () => {
  await begin();
  for await (const { number } of link.stream<Item>("test.count", [1000], {}, { window: 8 })) if (number === 2) break;
  for (let tries = 0; (await link.call<string[]>("test.closed")).length === 0 && tries < 100; tries++) await pause(10);
  const [closed = ""] = await link.call<string[]>("test.closed");
  expect(Number(closed.split(" ")[0])).toBeLessThanOrEqual(11);
  const abort = new AbortController();
  const reading = (async () => {
    for await (const { number } of link.stream<Item>("test.count", [1001], {}, { signal: abort.signal, window: 1 })) {
      if (number === 1) abort.abort();
    }
  })();
  await expect(reading).rejects.toMatchObject({ name: "AbortError" });
  await closedWith("3 of 1001");
});

test("STR-1: a failure comes after the items before it, and what does not fit says what to use", async () => {
  await begin();
  const seen: number[] = [];
  const read = async (stream: AsyncIterable<unknown>): Promise<void> => {
    for await (const item of stream) seen.push((item as Item).number);
  };
  await expect(read(link.stream("test.count", [3], { fails: true }))).rejects.toMatchObject({ code: -32001 });
  expect(seen).toEqual([0, 1, 2]);
  await expect(link.call("test.count", [3])).rejects.toMatchObject({ message: expect.stringContaining("link.stream") as string });
  await expect(read(link.stream("test.add", [3]))).rejects.toMatchObject({ message: expect.stringContaining("link.call") as string });
  await expect(read(link.stream("test.count", [3], {}, { window: 5000 }))).rejects.toMatchObject({ code: -32003 });
  await expect(read(link.stream("test.count", [() => 1]))).rejects.toBeInstanceOf(UsageError);
  await expect(read(link.stream("test.count_in_thread", [3]))).resolves.toBeUndefined();
});

test("STR-4: an argument is a ReadableStream, a Blob's, or an async iterable", async () => {
  await begin();
  const blob = new Blob([new Uint8Array(3_000_000)]);
  expect((await link.call<Collected>("test.collect", ["blob", blob.stream()])).total).toBe(3_000_000);
  const readable = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let n = 0; n < 50; n++) controller.enqueue(part(n, n % 2 === 0 ? 10 : 100_000));
      controller.close();
    },
  });
  expect((await link.call<Collected>("test.collect", ["readable"], { data: readable })).numbers).toEqual(upTo(50));
  const doubled: unknown[] = [];
  const values = (async function* () {
    yield* [1, 2.5, 3];
  })();
  for await (const value of link.stream("test.double", [values])) doubled.push(value);
  expect(doubled).toEqual([2, 5, 6]);
});

test("STR-4, STR-5: a method that reads no further, or is given what does not fit, closes the source", async () => {
  await begin();
  const closed: string[] = [];
  const large = parts(10_000, () => 1000, () => closed.push("stopped"));
  expect((await link.call<Collected>("test.collect", ["x", large], { stop_after: 3 })).numbers).toEqual([0, 1, 2]);
  const wrong = async function* (): AsyncGenerator {
    try {
      yield part(0, 10);
      for (;;) yield "text";
    } finally {
      closed.push("refused");
    }
  };
  const refused = link.call("test.collect", ["x", wrong()]);
  await expect(refused).rejects.toBeInstanceOf(CallError);
  await expect(refused).rejects.toMatchObject({ code: -32602, message: expect.stringContaining("item 1 of 'data'") as string });
  const unsendable = async function* (): AsyncGenerator {
    yield () => 1;
  };
  await expect(link.call("test.collect", ["x", unsendable()])).rejects.toBeInstanceOf(UsageError);
  const failing = async function* (): AsyncGenerator {
    yield part(0, 10);
    throw new Error("the disk is full");
  };
  await expect(link.call("test.collect", ["x", failing()])).rejects.toThrow("the disk is full");
  const abort = new AbortController();
  const endless = parts(Infinity, () => 1000, () => closed.push("aborted"));
  const given = link.call("test.collect", ["x", endless], {}, { signal: abort.signal });
  await pause(30);
  abort.abort();
  await expect(given).rejects.toMatchObject({ name: "AbortError" });
  for (let tries = 0; closed.length < 3 && tries < 100; tries++) await pause(10);
  expect(closed).toEqual(["stopped", "refused", "aborted"]);
});

test("a server that knows no streams", async () => {
  server = await PythonServer.start("released");
  line = await Line.to(server.url);
  link = await connect(line.url, { secret: "s3cret" });
  await expect(link.stream("test.count", [3]).next()).rejects.toBeInstanceOf(UnsupportedError);
  await expect(link.call("test.echo", [parts(1, () => 5)])).rejects.toBeInstanceOf(UnsupportedError);
});
