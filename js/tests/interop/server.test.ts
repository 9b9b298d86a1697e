// This client against Python servers: the released one, and this project's.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Link, connect } from "../../src/index.js";
import { PythonServer, type ServerName } from "./python.js";

const MIB = 2 ** 20;

/** Resolves with the first `count` payloads of a topic. */
async function take<T>(link: Link, topic: string, count: number, begin: () => Promise<unknown>): Promise<T[]> {
  const payloads: T[] = [];
  let enough: () => void = () => undefined;
  const taken = new Promise<void>((resolve) => (enough = resolve));
  const subscription = link.subscribe<T>(topic, (payload) => {
    payloads.push(payload);
    if (payloads.length === count) enough();
  });
  await subscription.ready;
  await begin();
  await taken;
  await subscription.cancel();
  return payloads;
}

describe.each<[ServerName]>([["released"], ["ours"]])("the server %s", (name) => {
  let server: PythonServer;
  let link: Link;

  beforeAll(async () => {
    server = await PythonServer.start(name);
    link = await connect(server.url, { secret: "s3cret" });
  });

  afterAll(async () => {
    await link.close();
    await server.stop();
  });

  test("hello", () => {
    expect(link.clientId).toMatch(/^c[0-9a-f]{32}$/);
    expect(link.features).toEqual(name === "ours" ? ["subscribe", "arrays", "flow", "cancel", "progress", "handle", "stream", "resume"] : []);
  });

  test.each([{ secret: "wrong" }, {}, { secret: "" }])("refuses %o", async (options) => {
    await expect(connect(server.url, options)).rejects.toMatchObject({ name: "AuthenticationError", code: -32000 });
  });

  test("call, with args and kwargs", async () => {
    expect(await link.call("test.add", [40], { b: 2 })).toBe(42);
    expect(await link.call("test.add", [41])).toBe(42);
  });

  test("unknown method", async () => {
    await expect(link.call("test.nothing")).rejects.toMatchObject({ name: "CallError", code: -32601, data: "test.nothing" });
  });

  test("exception", async () => {
    const data = { method: "test.fail", exception: "ValueError('no way')" };
    await expect(link.call("test.fail")).rejects.toMatchObject({ code: -32001, data, message: "test.fail: Exception raised: ValueError('no way')" });
  });

  test("result that cannot be encoded", async () => {
    await expect(link.call("test.unserializable")).rejects.toMatchObject({ code: -32002, data: "test.unserializable" });
  });

  test.each([
    [[null, true, 0, -1, 1.5, "naïve 🌍", "\ufeffmark", 2 ** 40, -(2 ** 40)]],
    [[NaN, Infinity, -Infinity]],
    [[2n ** 53n, 2n ** 64n - 1n, -(2n ** 63n)]],
    [{ nested: [{ deeply: new Uint8Array([0, 255]) }], empty: [{}, [], new Uint8Array(0), ""] }],
    [{ "": 1, "a b": 2, __proto__x: 3, zeta: 4, alpha: 5 }],
    ["x".repeat(100_000)],
  ])("echo %#", async (value) => {
    expect(await link.call("test.echo", [value])).toEqual(value);
  });

  test.each([8, 64])("%i MiB both ways", async (size) => {
    const data = new Uint8Array(size * MIB);
    for (let index = 0; index < data.length; index += 4093) data[index] = index;
    const echoed = await link.call<Uint8Array>("test.echo", [data]);
    expect(Buffer.compare(echoed, data)).toBe(0);
  });

  test.each([0, 1, 16_000, 3 * MIB])("a Blob of %i bytes", async (size) => {
    expect(await link.call("test.length", [new Blob([new Uint8Array(size)])])).toBe(size);
  });

  test.each([
    ["int", "1"],
    ["float", "1.5"],
    ["bool", "true"],
    ["none", "null"],
    ["bytes", undefined],
    ["tuple", undefined],
  ])("a result with a key that is %s arrives or rejects, and never hangs", async (kind, key) => {
    const result = link.call("test.keys", [kind], {}, { timeout: 5000 }).catch((error: unknown) => (error as Error).name);
    // This project's server refuses other keys than text, numbers, booleans and null (MSG-8).
    expect(await result).toEqual(key !== undefined ? { [key]: "value" } : name === "released" ? "ProtocolError" : "CallError");
  });

  test.each([10, 480, 600, 900])("a result that is nested %i levels deep arrives or rejects, and never hangs", async (depth) => {
    const result: unknown = await link.call("test.nested", [depth], {}, { timeout: 5000 }).catch((error: unknown) => (error as Error).name);
    if (depth === 10) expect(result).toEqual([[[[[[[[[[0]]]]]]]]]]);
    else if (Array.isArray(result)) expect(JSON.stringify(result).length).toBe(2 * depth + 1);
    else expect(["CallError", "ProtocolError"]).toContain(result);
    expect(await link.call("test.add", [40, 2])).toBe(42);
  });

  test("what JavaScript has beside the plain values", async () => {
    const values = [new Set([1, 2]), new URL("http://example.org/x"), new Map<unknown, unknown>([[2, "two"], [true, "yes"], [null, "none"]]), Object(7)] as unknown[];
    expect(await link.call("test.echo", [values])).toEqual([[1, 2], "http://example.org/x", { 2: "two", true: "yes", null: "none" }, 7]);
    if (name === "ours") expect(await link.call("test.integer", [2 ** 60])).toBe(String(2n ** 60n));
  });

  test.each([512, 450, 300])("an argument that is nested %i levels deep arrives or rejects, and never hangs", async (depth) => {
    let value: unknown = 0;
    for (let level = 0; level < depth; level++) value = [value];
    const result: unknown = await link.call("test.echo", [value], {}, { timeout: 5000 }).catch((error: unknown) => (error as Error).name);
    if (!Array.isArray(result)) expect(["CallError", "UsageError"]).toContain(result);
    expect(await link.call("test.add", [40, 2])).toBe(42);
  });

  test("publications, in order", async () => {
    const payloads = await take<{ number: number }>(link, "test.numbers", 100, () => link.call("test.publish", [100]));
    expect(payloads.map(({ number }) => number)).toEqual([...Array(100).keys()]);
  });

  test("large publications", async () => {
    const payloads = await take<{ data: Uint8Array }>(link, "test.numbers", 5, () => link.call("test.publish", [5, 9 * MIB]));
    expect(payloads.map(({ data }) => data.length)).toEqual(Array(5).fill(9 * MIB));
  });

  test("the result of a call comes before what it publishes (ORD-2)", async () => {
    const order: unknown[] = [];
    await take(link, "test.numbers", 3, async () => order.push(await link.call("test.publish", [3])));
    expect(order).toEqual(["published"]);
  });

  test("many calls at once", async () => {
    const results = await Promise.all(Array.from({ length: 500 }, (_, n) => link.call("test.add", [n, n])));
    expect(results).toEqual(Array.from({ length: 500 }, (_, n) => 2 * n));
  });

  test("close during a call", async () => {
    const other = await connect(server.url, { secret: "s3cret" });
    const sleeping = other.call("test.sleep", [30]);
    const closing = other.close();
    await expect(sleeping).rejects.toMatchObject({ name: "ConnectionError" });
    // Defect 3: the released server does not notice before the call has ended.
    expect(await closing).toMatchObject({ code: name === "released" ? 1006 : 1000 });
  });
});

describe.each(["picows", "aiohttp"])("a close while much is on its way, engine %s", (engine) => {
  let server: PythonServer;

  beforeAll(async () => {
    server = await PythonServer.start("ours", engine);
  });

  afterAll(() => server.stop());

  test.each<[string, (link: Link) => Promise<unknown>]>([
    ["a result", (link) => link.call("test.zeros", [20 * MIB])],
    ["several results", (link) => Promise.all([1, 2, 3].map(() => link.call("test.zeros", [20 * MIB])))],
    ["publications", async (link) => {
      await link.subscribe("test.numbers", () => undefined).ready;
      await link.call("test.publish", [20, MIB]);
    }],
    ["an argument", (link) => link.call("test.length", [new Uint8Array(20 * MIB)])],
    ["a Blob", (link) => link.call("test.length", [new Blob([new Uint8Array(20 * MIB)])])],
  ])("%s", async (_, begin) => { // prettier-ignore
    for (const wait of [0, 5, 20]) {
      const link = await connect(server.url, { secret: "s3cret" });
      const under = begin(link).catch((error: unknown) => error);
      await new Promise((resolve) => setTimeout(resolve, wait));
      expect(await link.close()).toMatchObject({ code: 1000 });
      await under;
    }
  });
});

test("files that cannot be read to their end leave nothing behind at this project's server", async () => {
  const server = await PythonServer.start("ours");
  const link = await connect(server.url, { secret: "s3cret" });
  for (let n = 0; n < 70; n++) {
    const broken = new Blob([new Uint8Array(2 * MIB)]);
    broken.slice = (start = 0, end) =>
      start < MIB ? Blob.prototype.slice.call(broken, start, end) : ({ arrayBuffer: () => Promise.reject(new Error("gone")) } as Blob);
    await expect(link.call("test.length", [broken])).rejects.toThrow("gone");
  }
  expect(await link.call("test.length", [new Blob([new Uint8Array(2 * MIB)])])).toBe(2 * MIB); // 64 messages may be under way
  await link.close();
  await server.stop();
});

describe("with the limits of this project's server", () => {
  test.each([64 * MIB + 1, 80 * MIB])("an argument of %i bytes over its max_message rejects its call, and no other", async (size) => {
    const server = await PythonServer.start("ours", "auto", String(64 * MIB));
    const link = await connect(server.url, { secret: "s3cret" });
    const [large, small] = [link.call("test.length", [new Blob([new Uint8Array(size)])]), link.call("test.add", [40, 2])];
    await expect(large).rejects.toMatchObject({ name: "CallError", code: -32003 });
    expect(await small).toBe(42);
    await link.close();
    await server.stop();
  });
});
