// Streams (STR): the shared vectors, and a scripted server that keeps to the rules or does not.
/* eslint @typescript-eslint/require-await: off -- a generator is a source, whether or not it waits */
import { describe, expect, test } from "vitest";
import { CallError, ConnectionError, ProtocolError, TimeoutError, UnsupportedError, UsageError } from "../../src/index.js";
import { Inlet } from "../../src/rpc/streams.js";
import { Decoder } from "../../src/wire/decoder.js";
import { StreamKey } from "../../src/wire/extensions.js";
import { HEADER_LENGTH } from "../../src/wire/limits.js";
import { encodeWith } from "../support/encoded.js";
import { linked, reported, settled, url, nextConnection } from "../support/linked.js";
import { type Connection, type Envelope, WELCOME_WITH_FEATURES } from "../support/peer.js";
import { hex, readVectors, toValue, unhex } from "../support/vectors.js";
import { connect } from "../../src/index.js";

const ITEM = 3;
const END = 4;
const CREDIT = 5;
const FEATURES = ["subscribe", "arrays", "cancel", "stream"];
const WELCOME = { ...WELCOME_WITH_FEATURES, features: FEATURES };

interface Reader {
  readonly name: string;
  readonly window: number;
  readonly steps: { readonly item?: number; readonly take?: number; readonly end?: boolean }[];
  readonly taken: number[];
  readonly credits: number[];
  readonly refused?: boolean;
}

const vectors = readVectors<{ messages: { name: string; message: unknown; packed: string }[]; readers: Reader[] }>("streams");

function withKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withKeys);
  if (typeof value !== "object" || value === null || "$bytes" in value) return toValue(value);
  if ("$stream" in value) return new StreamKey(value.$stream as number);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withKeys(item)]));
}

describe("vectors", () => {
  test.each(vectors.messages)("encodes $name", ({ message, packed }) => {
    expect(hex(encodeWith({ arrays: true }, withKeys(message)).subarray(HEADER_LENGTH))).toBe(packed);
  });

  test.each(vectors.messages.filter(({ message }) => Array.isArray(message)))("decodes $name", ({ message, packed }) => {
    expect(new Decoder().decode(unhex(packed))).toEqual(withKeys(message));
  });

  test.each(vectors.readers)("reads: $name", async ({ window, steps, taken, credits, refused }) => {
    const given: number[] = [];
    const seen: unknown[] = [];
    const inlet = new Inlet(window, (credit) => given.push(credit));
    const items = inlet[Symbol.asyncIterator]();
    for (const { item, take = 0, end } of steps) {
      if (item !== undefined) inlet.put(item, item);
      if (end) inlet.stop({});
      for (let n = 0; n < take; n++) seen.push((await items.next()).value);
    }
    expect([seen, given]).toEqual([taken, credits]);
    if (refused) await expect(items.next()).rejects.toBeInstanceOf(ProtocolError);
  });
});

async function until<T>(look: () => T | undefined): Promise<T> {
  for (let tries = 0; tries < 300; tries++) {
    const found = look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error("it did not come");
}

/** What has arrived of one type. */
function sent({ extensions }: Connection, type: number): unknown[][] {
  return extensions.filter(([kind]) => kind === type).map((items) => items.slice(1));
}

async function collect(stream: AsyncIterable<unknown>): Promise<unknown[]> {
  const items: unknown[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

test("STR-1, STR-2: the call is made when the first item is asked for, and credit follows what is taken", async () => {
  const { link, peer } = await linked(WELCOME);
  const stream = link.stream("a.method", [1], { two: 2 }, { window: 4 });
  await settled(link, peer);
  const first = stream.next();
  const asked = await peer.next();
  expect(asked).toMatchObject({ method: "a.method", args: [1], kwargs: { two: 2 }, stream: 4 });
  for (let n = 0; n < 4; n++) peer.extension(ITEM, asked.id, n, `item ${n}`);
  expect(await first).toEqual({ done: false, value: "item 0" });
  await settled(link, peer);
  expect(sent(peer, CREDIT)).toEqual([]);
  await stream.next();
  await until(() => sent(peer, CREDIT)[0]);
  expect(sent(peer, CREDIT)).toEqual([[asked.id, 6]]);
  peer.answer(asked, null);
  expect(await collect(stream)).toEqual(["item 2", "item 3"]);
  expect(sent(peer, 6)).toEqual([]);
});

test("STR-1: an error follows the items before it", async () => {
  const { link, peer } = await linked(WELCOME);
  const stream = link.stream("a.method");
  const first = stream.next();
  const asked = await peer.next();
  peer.together(() => {
    peer.extension(ITEM, asked.id, 0, "a");
    peer.extension(ITEM, asked.id, 1, "b");
    peer.fail(asked, { code: -32001, message: "it broke", data: { exception: "ValueError()" } });
  });
  expect((await first).value).toBe("a");
  expect((await stream.next()).value).toBe("b");
  await expect(stream.next()).rejects.toBeInstanceOf(CallError);
});

describe("STR-3: who reads no further cancels", () => {
  async function reading(options: object = {}): Promise<{ stream: AsyncGenerator; peer: Connection; asked: Envelope }> {
    const { link, peer } = await linked(WELCOME);
    const stream = link.stream("a.method", [], {}, options);
    const first = stream.next();
    const asked = await peer.next();
    peer.extension(ITEM, asked.id, 0, "a");
    peer.extension(ITEM, asked.id, 1, "b");
    await first;
    return { stream, peer, asked };
  }

  test("by leaving the loop", async () => {
    const { stream, peer, asked } = await reading();
    for await (const item of stream) if (item === "b") break;
    await until(() => sent(peer, 6)[0]);
    expect(sent(peer, 6)).toEqual([[asked.id]]);
    peer.extension(ITEM, asked.id, 2, "late");
    peer.fail(asked, { code: -32800, message: "Cancelled" });
    expect(reported).toEqual([]);
  });

  test("by throwing", async () => {
    const { stream, peer, asked } = await reading();
    await expect(stream.throw(new Error("mine"))).rejects.toThrow("mine");
    await until(() => sent(peer, 6)[0]);
    expect(sent(peer, 6)).toEqual([[asked.id]]);
  });

  test("by a signal, at once", async () => {
    const abort = new AbortController();
    const { stream, peer, asked } = await reading({ signal: abort.signal });
    abort.abort();
    await expect(stream.next()).rejects.toMatchObject({ name: "AbortError" });
    await until(() => sent(peer, 6)[0]);
    expect(sent(peer, 6)).toEqual([[asked.id]]);
  });

  test("by its time", async () => {
    const { stream, peer } = await reading({ timeout: 30 });
    await stream.next();
    await expect(stream.next()).rejects.toBeInstanceOf(TimeoutError);
    await until(() => sent(peer, 6)[0]);
  });
});

test("STR-2: a server that does not keep to the credit ends the stream, and the call", async () => {
  const { link, peer } = await linked(WELCOME);
  for (const bad of [[2], [0], [2 ** 40]]) {
    const stream = link.stream("a.method", [], {}, { window: 2 });
    const first = stream.next();
    const asked = await peer.next();
    peer.extension(ITEM, asked.id, 0, "a");
    await first;
    peer.extension(ITEM, asked.id, ...bad, "bad");
    await settled(link, peer);
    if (bad[0] === 2) peer.extension(ITEM, asked.id, 1, "b");
    if (bad[0] !== 2) await expect(collect(stream)).rejects.toBeInstanceOf(ProtocolError);
    else await stream.return();
    await until(() => sent(peer, 6).find(([id]) => id === asked.id));
  }
});

test("what names no call or stream is ignored, and so is what is malformed", async () => {
  const { link, peer } = await linked(WELCOME);
  const stream = link.stream("a.method");
  const first = stream.next();
  const asked = await peer.next();
  for (const items of [[ITEM], [ITEM, "rpc:x:1", 0, 1], [ITEM, asked.id, -1, 1], [ITEM, asked.id, "0", 1], [CREDIT, asked.id, 5, 3], [CREDIT, asked.id, 5], [END, asked.id, 0, null, 0]]) {
    peer.extension(...items);
  }
  peer.extension(ITEM, asked.id, 0, "good");
  expect((await first).value).toBe("good");
  expect(reported).toEqual([]);
});

test("STR-4: arguments are sent within the credit, one after another, and closed at the end", async () => {
  const { link, peer } = await linked(WELCOME);
  const closed: string[] = [];
  let made = 0;
  const source = (async function* () {
    try {
      for (; made < 5; made++) yield new Uint8Array(made === 1 ? 100_000 : 3);
    } finally {
      closed.push("yes");
    }
  })();
  const call = link.call("a.method", ["x", source]);
  const asked = await peer.next();
  expect(asked.args).toMatchObject(["x", { type: 2, data: new Uint8Array([0]) }]);
  await settled(link, peer);
  expect(made).toBe(0);
  peer.extension(CREDIT, asked.id, 3, 0);
  await until(() => sent(peer, ITEM)[2]);
  await settled(link, peer);
  expect(made).toBe(2);
  peer.extension(CREDIT, asked.id, 1, 0); // it never falls
  peer.extension(CREDIT, asked.id, 10, 0);
  await until(() => sent(peer, END)[0]);
  expect(sent(peer, ITEM).map(([id, n, , key]) => [id, n, key])).toEqual([0, 1, 2, 3, 4].map((n) => [asked.id, n, 0]));
  expect(sent(peer, END)).toEqual([[asked.id, 5, null, 0]]);
  expect(closed).toEqual(["yes"]);
  peer.answer(asked, "done");
  expect(await call).toBe("done");
});

test("STR-4: a response stops what is still to be sent", async () => {
  const { link, peer } = await linked(WELCOME);
  let cancelled = false;
  const source = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(10)),
    cancel: () => void (cancelled = true),
  });
  const call = link.call("a.method", [source]);
  const asked = await peer.next();
  peer.extension(CREDIT, asked.id, 2, 0);
  await until(() => sent(peer, ITEM)[1]);
  peer.answer(asked, null);
  await call;
  await until(() => cancelled || undefined);
  peer.extension(CREDIT, asked.id, 100, 0);
  await settled(link, peer);
  expect(sent(peer, ITEM).length).toBe(2);
});

test("STR-7, RES-2: a credit has no number, and is said again after a return", async () => {
  const linking = connect(await url(), { secret: "s3cret", reconnect: { initial: 10, max: 20 } });
  const peer = await nextConnection();
  await peer.resumable({}, { features: [...FEATURES, "resume"] });
  const link = await linking;
  const stream = link.stream("a.method", [], {}, { window: 2 });
  const first = stream.next();
  const asked = await peer.next();
  peer.number = 1;
  const numbered = peer.frames.length;
  peer.extension(ITEM, asked.id, 0, "a");
  await first;
  await until(() => sent(peer, CREDIT)[0]);
  const credit = peer.frames.slice(numbered).find(({ data }) => data[13] === CREDIT);
  expect(new DataView((credit as { data: Uint8Array }).data.slice().buffer).getUint32(0, true)).toBe(0);
  peer.socket.terminate();
  const again = await nextConnection();
  await again.resumable({ resumed: true, received: 1, missing: [], token: "1".repeat(32) }, { sent: 1, features: [...FEATURES, "resume"] });
  await until(() => sent(again, CREDIT)[0]);
  expect(sent(again, CREDIT)).toEqual([[asked.id, 3]]);
  await link.close();
  await expect(stream.next()).rejects.toBeInstanceOf(ConnectionError);
});

test("a server that did not accept the feature", async () => {
  const { link } = await linked({ ...WELCOME, features: ["subscribe", "cancel"] });
  await expect(link.stream("a.method").next()).rejects.toBeInstanceOf(UnsupportedError);
  await expect(link.call("a.method", [new ReadableStream()])).rejects.toBeInstanceOf(UnsupportedError);
});

test.each([0, -1, 1.5, NaN, "8" as unknown as number])("a window of %s is refused at once", async (window) => {
  const { link } = await linked();
  await expect(link.stream("a.b", [], {}, { window }).next()).rejects.toThrow(UsageError);
});

test("what is no function serves nothing", async () => {
  const { link } = await linked();
  expect(() => link.handle("a.b", 5 as never)).toThrow("handler must be a function, not 5");
  expect(() => link.subscribe("a.b", undefined as never)).toThrow("callback must be a function, not undefined");
});

test.each<[string, unknown, string]>([
  ["half a surrogate pair", new Error("broken \ud83d"), "Error: broken \ufffd"],
  ["nothing that can be shown", { toString: () => { throw new Error("no"); } }, "an error that cannot be shown"],
  ["no text", Object.create(null), "an error that cannot be shown"],
])("STR: the server hears of an argument that fails with %s", async (_, thrown, said) => {
  const { link, peer } = await linked(WELCOME);
  const source = (async function* () { yield await Promise.resolve(1); throw thrown; })(); // prettier-ignore
  const call = link.call("a.b", [source]).catch((reason: unknown) => reason);
  const { id } = await peer.next();
  peer.extension(CREDIT, id, 9, 0);
  const [end] = await until(() => (sent(peer, END).length > 0 ? sent(peer, END) : undefined));
  expect(end).toMatchObject([id, 1, { message: said }, 0]);
  expect(await call).toBe(thrown);
});
