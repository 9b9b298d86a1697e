// Calls of the server (HND), against a scripted server.
import { ExtData, encode } from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import { type ConnectOptions, type Link, MethodError, NDArray, connect } from "../../src/index.js";
import { linked, nextConnection, reported, settled, url } from "../support/linked.js";
import { type Connection, type Envelope, WELCOME_WITH_FEATURES, message } from "../support/peer.js";
import { type ArrayNotation, readVectors, unhex } from "../support/vectors.js";

const FEATURES = ["subscribe", "arrays", "cancel", "progress", "handle"];
const WELCOME = { ...WELCOME_WITH_FEATURES, features: FEATURES };

interface Response {
  readonly id: string;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data: unknown };
}

let calls = 0;

/** Calls the client; resolves with the call's id. */
function call(peer: Connection, method: string, args: unknown[] = [], more: object = {}): string {
  const id = `rpc:server:${calls++}`;
  peer.send(message({ id, method, args, kwargs: {}, ...more }, peer.number === undefined ? undefined : ++peer.number));
  return id;
}

function response(peer: Connection): Promise<Response> {
  return peer.next();
}

async function asked(peer: Connection, method: string, args: unknown[] = [], more: object = {}): Promise<Response> {
  const id = call(peer, method, args, more);
  const answer = await response(peer);
  expect(answer.id).toBe(id);
  return answer;
}

function serving(handlers: ConnectOptions["handlers"], options: ConnectOptions = {}): Promise<{ link: Link; peer: Connection }> {
  return linked(WELCOME, { handlers, ...options });
}

test("HND-1: a handler gets arguments by position and by name, and its result is the response", async () => {
  const { link, peer } = await linked(WELCOME);
  link.handle("view.size", () => [640, 480]);
  link.handle("view.scale", async ([factor, data]: [number, Uint8Array], { unit }: { unit: string }) => {
    await Promise.resolve();
    return { scaled: factor * 2, unit, data };
  });
  expect(await asked(peer, "view.size")).toMatchObject({ wslink: "1.0", result: [640, 480] });
  const scaled = await asked(peer, "view.scale", [2, new Uint8Array([1, 2])], { kwargs: { unit: "px" } });
  expect(scaled.result).toEqual({ scaled: 4, unit: "px", data: new Uint8Array([1, 2]) });
});

test("HND-1: args and kwargs may be absent, and nothing is the result null", async () => {
  const { link, peer } = await linked(WELCOME);
  const got: unknown[] = [];
  link.handle("a.b", (args, kwargs) => void got.push(args, kwargs));
  peer.send(message({ id: "rpc:server:1000", method: "a.b" }));
  expect(await response(peer)).toMatchObject({ id: "rpc:server:1000", result: null });
  expect(got).toEqual([[], {}]);
});

test("arrays go back as arrays", async () => {
  const { peer } = await serving({ "a.b": () => new NDArray(new Float32Array(4), [2, 2]) });
  const { result } = await asked(peer, "a.b");
  expect(result).toMatchObject({ type: 1 });
});

test("handlers that connect() is given are there when the server hears of the client", async () => {
  const linking = connect(await url(), { handlers: { "view.size": () => 7 } });
  const peer = await nextConnection();
  const hello = await peer.next();
  expect(hello.args[0]).toMatchObject({ features: expect.arrayContaining(["handle", "progress"]) as unknown });
  peer.together(() => {
    peer.answer(hello, WELCOME);
    call(peer, "view.size");
  });
  expect(await response(peer)).toMatchObject({ result: 7 });
  await (await linking).close();
});

test("a handler can be removed, and there is one per method", async () => {
  const { link, peer } = await linked(WELCOME);
  const remove = link.handle("a.b", () => 1);
  expect(() => link.handle("a.b", () => 2)).toThrow("a.b already");
  expect(await asked(peer, "a.b")).toMatchObject({ result: 1 });
  remove();
  expect((await asked(peer, "a.b")).error).toMatchObject({ code: -32601 });
  link.handle("a.b", () => 2);
  remove();
  expect(await asked(peer, "a.b")).toMatchObject({ result: 2 });
});

describe("errors", () => {
  test("HND-2: an unknown method", async () => {
    const { peer } = await linked(WELCOME);
    expect((await asked(peer, "no.such")).error).toEqual({ code: -32601, message: "Unregistered method called: no.such", data: "no.such" });
  });

  test("ERR-3: a MethodError chooses", async () => {
    const { peer } = await serving({
      "a.b": () => {
        throw new MethodError("too small", { code: 7, data: { least: 1 } });
      },
      "a.c": () => Promise.reject(new MethodError("plain")),
    });
    expect((await asked(peer, "a.b")).error).toEqual({ code: 7, message: "too small", data: { least: 1 } });
    expect((await asked(peer, "a.c")).error).toEqual({ code: -32001, message: "plain" });
    expect(reported).toEqual([]);
  });

  test.each([
    ["an error", new RangeError("mine"), "RangeError: mine"],
    ["an error of the platform's with a code", new DOMException("mine", "AbortError"), "AbortError: mine"],
    ["text", "just text", "just text"],
    ["what cannot be shown", Object.create(null), "an error that cannot be shown"],
    ["a giant", new Error("x".repeat(1e6)), `Error: ${"x".repeat(4089)}`],
  ])("ERR-2: %s that is thrown", async (_, error, text) => {
    const { peer } = await serving({
      "a.b": () => {
        throw error;
      },
    });
    expect((await asked(peer, "a.b")).error).toEqual({ code: -32001, message: "Exception raised", data: { method: "a.b", exception: text } });
    expect(reported).toHaveLength(1);
  });

  test("HND-6: a handler that is an async generator, as streams go from methods of the server alone", async () => {
    const { peer } = await serving({
      async *"a.b"() {
        yield await Promise.resolve(1);
      },
    });
    expect((await asked(peer, "a.b")).error).toEqual({ code: -32002, message: "Method result cannot be serialized", data: "a.b" });
    expect(reported).toMatchObject([{ name: "UsageError", message: expect.stringContaining("AsyncGenerator") as string }]);
    reported.length = 0;
    expect((await asked(peer, "a.b", [], { stream: 4 })).error).toMatchObject({ code: -32002 });
    reported.length = 0;
  });

  test("ERR-3, ERR-4: a result, or an error's data, that cannot be sent", async () => {
    const { peer } = await serving({
      "a.b": () => () => 1,
      "a.c": () => {
        throw new MethodError("mine", { data: Symbol("data") });
      },
    });
    expect((await asked(peer, "a.b")).error).toEqual({ code: -32002, message: "Method result cannot be serialized", data: "a.b" });
    expect((await asked(peer, "a.c")).error).toEqual({ code: -32001, message: "mine", data: "the data of this error cannot be sent" });
    expect(reported).toHaveLength(2);
  });

  test("LIM-20: more calls than are served at a time", async () => {
    const finish: (() => void)[] = [];
    const { peer } = await serving({ "a.b": () => new Promise<void>((resolve) => finish.push(resolve)) }, { maxClientCalls: 3 });
    for (let n = 0; n < 3; n++) call(peer, "a.b");
    expect((await asked(peer, "a.b")).error).toEqual({ code: -32003, message: "over max_client_calls (3) calls run", data: "a.b" });
    finish[0]?.();
    expect((await response(peer)).error).toBeUndefined();
    call(peer, "a.b");
    for (let n = 0; n < 3; n++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      finish[n + 1]?.();
      expect((await response(peer)).error).toBeUndefined();
    }
  });
});

test("HND-3: a call that the server gives up aborts its signal, and is answered once", async () => {
  const reasons: unknown[] = [];
  const { link, peer } = await serving({
    "a.b": (_args: unknown, _kwargs: unknown, { signal }: { signal: AbortSignal }) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => {
        reasons.push((signal.reason as Error).name);
        reject(signal.reason as Error);
      })),
  });
  const id = call(peer, "a.b");
  await settled(link, peer);
  peer.extension(6, id);
  expect(await response(peer)).toEqual({ wslink: "1.0", id, error: { code: -32800, message: "Cancelled", data: "a.b" } });
  peer.extension(6, id);
  peer.extension(6, "rpc:server:77777");
  peer.extension(6);
  await settled(link, peer);
  expect(reasons).toEqual(["AbortError"]);
  expect(reported).toEqual([]);
});

test("HND-1: calls of equal ids in both directions are told apart", async () => {
  const { link, peer } = await linked({ ...WELCOME, clientID: "server" });
  const aborted: boolean[] = [];
  link.handle("a.b", (_, __, { signal }) => new Promise((resolve) => setTimeout(() => resolve(aborted.push(signal.aborted)), 30)));
  const abort = new AbortController();
  const mine = link.call("mine", [], {}, { signal: abort.signal });
  const { id } = await peer.next();
  expect(id).toMatch(/^rpc:server:/);
  peer.send(message({ id, method: "a.b", args: [] }));
  await new Promise((resolve) => setTimeout(resolve, 10));
  abort.abort();
  await expect(mine).rejects.toMatchObject({ name: "AbortError" });
  expect(await response(peer)).toMatchObject({ id, result: 1 });
  expect(aborted).toEqual([false]);

  const other = link.call("other");
  const asking = await peer.next();
  peer.send(message({ id: asking.id, method: "no.such", args: [] }));
  expect(await response(peer)).toMatchObject({ id: asking.id, error: { code: -32601 } });
  peer.answer(asking, "mine");
  expect(await other).toBe("mine");
});

test("PRG-1: a handler tells the server how far it is, in order and not after its response", async () => {
  let late: (value: unknown) => void = () => undefined;
  const { link, peer } = await serving({
    "a.b": (_args: unknown, _kwargs: unknown, { progress }: { progress: (value: unknown) => void }) => {
      for (let n = 0; n < 5; n++) progress(n);
      late = progress;
      return "done";
    },
  });
  const quiet = await asked(peer, "a.b");
  expect(quiet.result).toBe("done");
  const id = call(peer, "a.b", [], { progress: true });
  await response(peer);
  late("late");
  await settled(link, peer);
  expect(peer.extensions.filter(([kind]) => kind === 7)).toEqual([0, 1, 2, 3, 4].map((value) => [7, id, value]));
});

test("PRG-1: of progress that waits behind a slow line only the newest goes, and none after the response", async () => {
  const { peer } = await linked({ ...WELCOME, features: [...FEATURES, "flow"] }, {
    handlers: {
      "a.b": async (_args: unknown, _kwargs: unknown, { progress }: { progress: (value: unknown) => void }) => {
        for (let n = 0; n < 100; n++) {
          progress([n, new Uint8Array(100_000)]);
          await Promise.resolve();
        }
        return "done";
      },
    },
  });
  call(peer, "a.b", [], { progress: true });
  const acknowledge = setInterval(() => peer.extension(1, peer.counted, 0), 5);
  expect((await response(peer)).result).toBe("done");
  const before = peer.extensions.filter(([kind]) => kind === 7).length;
  expect(before).toBeLessThan(20);
  await new Promise((resolve) => setTimeout(resolve, 50));
  clearInterval(acknowledge);
  expect(peer.extensions.filter(([kind]) => kind === 7)).toHaveLength(before);
});

test("EXT-3: a server that did not accept `handle` cannot call", async () => {
  const { link, peer } = await linked({ ...WELCOME, features: ["subscribe"] });
  link.handle("a.b", () => 1);
  call(peer, "a.b");
  await settled(link, peer);
  expect(reported).toMatchObject([{ code: -32600 }]);
});

test("calls that are none are reported, and harm nobody", async () => {
  const { link, peer } = await serving({ "a.b": () => 1 });
  for (const wrong of [{ method: 7 }, { method: "a.b", args: {} }, { method: "a.b", kwargs: [] }, { method: null }]) {
    peer.send(message({ id: "rpc:server:5", ...wrong }));
  }
  await settled(link, peer);
  expect(reported).toHaveLength(4);
  expect(await asked(peer, "a.b")).toMatchObject({ result: 1 });
});

describe("HND-5: with resume", () => {
  const RESUMABLE = [...FEATURES, "resume"];
  let finish: (value: unknown) => void;
  let aborted = 0;

  async function away(): Promise<{ link: Link; peer: Connection; id: string }> {
    aborted = 0;
    const handler = (_args: unknown, _kwargs: unknown, { signal }: { signal: AbortSignal }): Promise<unknown> => {
      signal.addEventListener("abort", () => aborted++);
      return new Promise((resolve) => (finish = resolve));
    };
    const linking = connect(await url(), { handlers: { "a.b": handler } });
    const peer = await nextConnection();
    await peer.resumable({}, { features: RESUMABLE });
    const link = await linking;
    const id = call(peer, "a.b");
    const settling = link.call("sync");
    peer.answer(await peer.next(), null);
    await settling;
    return { link, peer, id };
  }

  test("a response that is made during a cut is sent after the return, once", async () => {
    const { link, peer, id } = await away();
    peer.socket.terminate();
    const next = await nextConnection();
    finish("made during the cut");
    await next.resumable({ token: "1".repeat(32), resumed: true, received: 1, missing: [] }, { sent: peer.number ?? 0, features: RESUMABLE });
    expect(await response(next)).toMatchObject({ id, result: "made during the cut" });
    expect(aborted).toBe(0);
    await link.close();
  });

  test("a response of a session that has ended is not sent in the next", async () => {
    const { link, peer } = await away();
    peer.socket.terminate();
    const next = await nextConnection();
    await next.resumable({ token: "1".repeat(32), resumed: false, reason: "restarted" }, { features: RESUMABLE });
    await expect.poll(() => aborted).toBe(1);
    finish("too late");
    const settling = link.call("sync");
    const first: Envelope = await next.next();
    expect(first.method).toBe("sync");
    next.answer(first, null);
    await settling;
    await link.close();
  });

  test("CAN-3: a message that has begun is cut short, and only its end is sent again", async () => {
    const { link, peer } = await away();
    const abort = new AbortController();
    const large = link.call("a.large", [new Uint8Array(32 * 2 ** 20)], {}, { signal: abort.signal });
    await expect.poll(() => peer.frames.some(({ data }) => data.length > 100_000), { interval: 2 }).toBe(true);
    abort.abort();
    await expect(large).rejects.toMatchObject({ name: "AbortError" });
    const ends = ({ frames }: Connection): number => frames.filter(({ data }) => data.length === 12).length;
    await expect.poll(() => ends(peer)).toBe(1);
    expect(peer.frames.reduce((sum, { data }) => sum + data.length, 0)).toBeLessThan(24 * 2 ** 20);
    peer.socket.terminate();
    const next = await nextConnection();
    await next.resumable({ token: "1".repeat(32), resumed: true, received: 1, missing: [] }, { sent: peer.number ?? 0, features: RESUMABLE });
    await expect.poll(() => ends(next)).toBe(1);
    expect(next.frames.reduce((sum, { data }) => sum + data.length, 0)).toBeLessThan(10_000);
    await link.close();
  });
});

test("a client that the server disconnects does not come back", async () => {
  const { link, peer } = await linked(WELCOME);
  const call = link.call("a.b");
  await peer.next();
  peer.socket.close(4002, "the show is over");
  await expect(call).rejects.toMatchObject({ name: "ConnectionError", code: 4002, reason: "the show is over" });
  expect(await link.closed).toEqual({ code: 4002, reason: "the show is over" });
  expect(link.state).toBe("closed");
});

interface Case {
  readonly name: string;
  readonly received: unknown[];
  readonly sent: unknown[];
}

const SERVED: ConnectOptions["handlers"] = {
  "test.echo": ([value]: [unknown]) => value,
  "test.named": (_args: unknown, { value }: { value: unknown }) => value,
  "test.nothing": () => undefined,
  "test.choose": () => {
    throw new MethodError("too small", { code: 7, data: { least: 1 } });
  },
  "test.unsendable": () => () => undefined,
  "test.wait": (_args: unknown, _kwargs: unknown, { signal }: { signal: AbortSignal }) =>
    new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
  "test.steps": (_args: unknown, _kwargs: unknown, { progress }: { progress: (value: unknown) => void }) => {
    progress(0.5);
    progress({ done: 1 });
    return "done";
  },
};

/** A value of the vectors as @msgpack/msgpack writes it, arrays as they travel. */
function packed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(packed);
  if (typeof value !== "object" || value === null) return value;
  if ("$bytes" in value) return new Uint8Array(unhex(value.$bytes as string));
  if ("$array" in value) {
    const { dtype, shape, data } = value.$array as ArrayNotation;
    const head = encode([dtype, ...shape]);
    return new ExtData(1, new Uint8Array([head.length, ...head, ...unhex(data)]));
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, packed(item)]));
}

test.each(readVectors<{ cases: Case[] }>("calls").cases)("HND-1 to HND-3, LIM-20, vector: $name", async ({ received, sent }) => {
  const { link, peer } = await serving(SERVED, { maxClientCalls: 2 });
  for (const one of received) {
    if (Array.isArray(one)) peer.extension(...(one as unknown[]));
    else peer.send(message(packed(one) as object));
  }
  const responses: unknown[] = [];
  for (const one of sent) if (!Array.isArray(one)) responses.push(await peer.next());
  await settled(link, peer);
  expect([...peer.extensions.filter(([kind]) => kind === 7), ...responses]).toEqual(sent.map(packed));
});
