import { describe, expect, test } from "vitest";
import { AuthenticationError, CallError, ConnectionError, NDArray, TimeoutError, UsageError, connect } from "../../src/index.js";
import { CLIENT_ID, WELCOME } from "../support/peer.js";
import { linked, settled } from "../support/linked.js";

describe("a call", () => {
  test("is sent as MSG has it, and gets its result", async () => {
    const { link, peer } = await linked();
    const result = link.call("terrain.light", [315], { altitude: 30, missing: undefined });
    const call = await peer.next();
    expect(call).toEqual({ wslink: "1.0", id: `rpc:${CLIENT_ID}:1`, method: "terrain.light", args: [315], kwargs: { altitude: 30 } });
    peer.answer(call, { tiles: 3, pixels: new Uint8Array([1, 2]) });
    expect(await result).toEqual({ tiles: 3, pixels: new Uint8Array([1, 2]) });
  });

  test.each([5, "x", { a: 1 }, null])("whose arguments are %j is refused", async (args) => {
    const { link } = await linked();
    await expect(link.call("a.b", args as never)).rejects.toThrow("args must be a list, not ");
  });

  test.each([undefined, 5, null, Object.create(null)])("of a method whose name is no text is refused", async (method) => {
    const { link } = await linked();
    await expect(link.call(method as never, [1])).rejects.toThrow("method must be text, not ");
    const onProgress = 5 as never;
    await expect(link.call("a.b", [], {}, { onProgress })).rejects.toThrow("onProgress must be a function, not 5");
    await expect(link.call("a.b", [], {}, { onTransfer: onProgress })).rejects.toThrow("onTransfer must be a function, not 5");
  });

  test.each([NaN, -1, "soon"])("with a timeout of %s is refused", async (timeout) => {
    const { link } = await linked();
    await expect(link.call("a.b", [], {}, { timeout: timeout as number })).rejects.toThrow(`timeout must be a number from 0 on, not ${JSON.stringify(timeout).replace("null", "NaN")}`);
    await expect(connect("ws://localhost:1/ws", { timeout: timeout as number })).rejects.toThrow(UsageError);
  });

  test("never uses an id twice (MSG-3)", async () => {
    const { link, peer } = await linked();
    const ids = new Set<string>();
    for (let n = 0; n < 20; n++) {
      const result = link.call("a.b");
      const call = await peer.next();
      ids.add(call.id);
      peer.answer(call, null);
      await result;
    }
    expect(ids.size).toBe(20);
  });

  test("gets its own result, in whatever order results come (MSG-4)", async () => {
    const { link, peer } = await linked();
    const results = [link.call("first"), link.call("second")];
    const [first, second] = [await peer.next(), await peer.next()];
    peer.answer(second, "of the second");
    peer.answer(first, "of the first");
    expect(await Promise.all(results)).toEqual(["of the first", "of the second"]);
  });

  test("fails with the server's code, message and data", async () => {
    const { link, peer } = await linked();
    const result = link.call("a.b");
    peer.fail(await peer.next(), { code: -32601, message: "Unregistered method called", data: "a.b" });
    const error: unknown = await result.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CallError);
    expect(error).toMatchObject({ name: "CallError", method: "a.b", code: -32601, data: "a.b", message: "a.b: Unregistered method called" });
  });

  test.each([
    ["job.slow: unknown argument", "job.slow: unknown argument"],
    ["unknown argument", "job.slow: unknown argument"],
    ["job.slowly: unknown argument", "job.slow: job.slowly: unknown argument"],
  ])("names its method once where the server says %j", async (said, shown) => {
    const { link, peer } = await linked();
    const result = link.call("job.slow");
    peer.fail(await peer.next(), { code: -32602, message: said });
    await expect(result).rejects.toMatchObject({ message: shown, reason: said });
  });

  test("shows what the method raised", async () => {
    const { link, peer } = await linked();
    const result = link.call("a.b");
    peer.fail(await peer.next(), { code: -32001, message: "Exception raised", data: { method: "a.b", exception: "ValueError('no')" } });
    await expect(result).rejects.toThrow("a.b: Exception raised: ValueError('no')");
  });

  test("fails with an AuthenticationError where that is the matter", async () => {
    const { link, peer } = await linked();
    const result = link.call("a.b");
    peer.fail(await peer.next(), { code: -32000, message: "Unauthorized: Skip message processing" });
    await expect(result).rejects.toBeInstanceOf(AuthenticationError);
  });

  test("gives up after its timeout; a late answer disturbs nobody", async () => {
    const { link, peer } = await linked();
    const result = link.call("slow", [], {}, { timeout: 20 });
    const call = await peer.next();
    await expect(result).rejects.toMatchObject({ name: "TimeoutError", timeout: 20, message: "slow: no response within 20 ms" });
    peer.answer(call, "late");
    await settled(link, peer);
  });

  test("takes its timeout from the connection", async () => {
    const { link } = await linked(undefined, { callTimeout: 20 });
    await expect(link.call("slow")).rejects.toBeInstanceOf(TimeoutError);
  });

  test("may wait longer than timers can", async () => {
    const { link, peer } = await linked(undefined, { callTimeout: 10 });
    const results = [0, Infinity, 2 ** 40].map((timeout) => link.call("slow", [], {}, { timeout }));
    const calls = [await peer.next(), await peer.next(), await peer.next()];
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (const call of calls) peer.answer(call, "done");
    expect(await Promise.all(results)).toEqual(["done", "done", "done"]);
  });

  test("gives up when its signal aborts, with the signal's reason", async () => {
    const { link, peer } = await linked();
    const abort = new AbortController();
    const result = link.call("slow", [], {}, { signal: abort.signal });
    await peer.next();
    abort.abort("enough");
    await expect(result).rejects.toBe("enough");
  });

  test("is not sent where its signal has aborted", async () => {
    const { link, peer } = await linked();
    await expect(link.call("never", [], {}, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
    const next = link.call("next");
    const call = await peer.next();
    expect(call.method).toBe("next");
    peer.answer(call, null);
    await next;
  });

  test("copies its arguments at once", async () => {
    const { link, peer } = await linked();
    const data = new Uint8Array([1, 2, 3]);
    const result = link.call("a.b", [data]);
    data.fill(9);
    const call = await peer.next();
    expect(call.args).toEqual([new Uint8Array([1, 2, 3])]);
    peer.answer(call, null);
    await result;
  });

  test("sends what data in JavaScript is made of", async () => {
    const { link, peer } = await linked(WELCOME);
    const result = link.call("a.b", [
      undefined,
      new Date(1_500),
      new Map<unknown, unknown>([[1, "one"]]),
      2n ** 60n,
      new NDArray(new Float32Array([1])),
      new (class {
        x = 1;
      })(),
    ]);
    const call = await peer.next();
    expect(call.args).toEqual([null, new Date(1_500), { 1: "one" }, 2n ** 60n, new Uint8Array([0, 0, 128, 63]), { x: 1 }]);
    peer.answer(call, null);
    await result;
  });

  test("is cut into frames of 512 KiB until hello tells the server's size, and of that size then (G2-5)", async () => {
    const { link, peer } = await linked({ ...WELCOME, maxMsgSize: 1000 });
    const result = link.call("a.b", [new Uint8Array(5000)]);
    const call = await peer.next();
    expect(peer.frames.slice(1).map(({ data }) => data.length)).toEqual([1000, 1000, 1000, 1000, 1000, expect.any(Number)]);
    peer.answer(call, null);
    await result;

    const other = await linked({ clientID: CLIENT_ID });
    void other.link.call("a.b", [new Uint8Array(600_000)]).catch(() => undefined);
    await other.peer.next();
    expect(other.peer.frames.slice(1).map(({ data }) => data.length)).toEqual([524_288, expect.any(Number)]);
  });
});

describe("a Blob", () => {
  test("travels as its bytes, nested anywhere", async () => {
    const { link, peer } = await linked();
    const result = link.call("upload", [{ files: [new Blob(["one"]), new File(["two"], "two.txt")] }], { extra: new Blob([]) });
    const call = await peer.next();
    expect(call.args).toEqual([{ files: [new TextEncoder().encode("one"), new TextEncoder().encode("two")] }]);
    expect(call.kwargs).toEqual({ extra: new Uint8Array(0) });
    peer.answer(call, 2);
    expect(await result).toBe(2);
  });

  test("keeps calls in order", async () => {
    const { link, peer } = await linked();
    const methods = ["first", "second", "third", "fourth"];
    const sent = methods.map((method, index) => link.call(method, index % 2 ? [] : [new Blob(["x".repeat(100_000)])]));
    const calls = [await peer.next(), await peer.next(), await peer.next(), await peer.next()];
    expect(calls.map(({ method }) => method)).toEqual(methods);
    for (const call of calls) peer.answer(call, null);
    await Promise.all(sent);
  });

  test("that cannot be read fails its call and no other", async () => {
    const { link, peer } = await linked();
    const broken = new Blob(["gone"]);
    broken.arrayBuffer = () => Promise.reject(new Error("the file is gone"));
    const [bad, good] = [link.call("bad", [broken]), link.call("good")];
    await expect(bad).rejects.toThrow("the file is gone");
    const call = await peer.next();
    expect(call.method).toBe("good");
    peer.answer(call, "well");
    expect(await good).toBe("well");
  });
});

describe("a large message", () => {
  const MIB = 2 ** 20;

  /** The longest time that other work of this thread had to wait, in milliseconds. */
  async function longestWait(during: Promise<unknown>): Promise<number> {
    let longest = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
    }, 1);
    await during.finally(() => clearInterval(timer));
    return longest;
  }

  test("of a Blob is read piece by piece, and other work goes on between", async () => {
    const { link, peer } = await linked();
    const blob = new Blob([new Uint8Array(48 * MIB).fill(7)]);
    blob.arrayBuffer = () => Promise.reject(new Error("it was read as a whole"));
    const result = link.call("upload", [blob, "after"]);
    const answered = peer.next().then((call) => {
      expect(Buffer.compare(call.args[0] as Uint8Array, new Uint8Array(48 * MIB).fill(7))).toBe(0);
      expect(call.args[1]).toBe("after");
      peer.answer(call, "done");
    });
    expect(await Promise.all([result, answered])).toEqual(["done", undefined]);
    expect(peer.frames.slice(1).map(({ data }) => data.length)).toEqual([...Array<number>(96).fill(524_288), expect.any(Number)]);
  });

  test("of bytes and arrays arrives as it was when the call was made", async () => {
    const { link, peer } = await linked({ ...WELCOME, features: ["arrays"] });
    const [bytes, array] = [new Uint8Array(3 * MIB).fill(1), new Float64Array(MIB).fill(2)];
    const [first, second] = [link.call("a.b", [bytes, array, "text"]), link.call("c.d")];
    bytes.fill(9);
    array.fill(9);
    const [call, next] = [await peer.next(), await peer.next()];
    const [sentBytes, sentArray, third] = call.args as [Uint8Array, { data: Uint8Array }, string];
    expect(Buffer.compare(sentBytes, new Uint8Array(3 * MIB).fill(1))).toBe(0);
    expect(Buffer.compare(sentArray.data.subarray(-8 * MIB), new Uint8Array(new Float64Array(MIB).fill(2).buffer))).toBe(0);
    expect(third).toBe("text");
    expect(next.method).toBe("c.d");
    for (const each of [call, next]) peer.answer(each, null);
    await Promise.all([first, second]);
  });

  test("lets other work go on while it is sent", async () => {
    const { link, peer } = await linked({ ...WELCOME, maxMsgSize: 65_536 });
    const sent = link.call("a.b", [new Blob([new Uint8Array(64 * MIB)])], {}, { timeout: 600 }).catch(() => undefined);
    expect(await longestWait(sent)).toBeLessThan(200);
    peer.socket.terminate();
  });

  test("of a Blob that cannot be read to its end fails its call and no other, and the server is made to drop it", async () => {
    const { link, peer } = await linked();
    const broken = new Blob([new Uint8Array(4 * MIB)]);
    broken.slice = (start = 0, end) =>
      start < MIB ? Blob.prototype.slice.call(broken, start, end) : ({ arrayBuffer: () => Promise.reject(new Error("the file is gone")) } as Blob);
    await expect(link.call("upload", [broken])).rejects.toThrow("the file is gone");
    const next = link.call("next");
    const call = await peer.next();
    expect(call.method).toBe("next");
    expect(peer.frames.slice(1).map(({ data }) => data.length)).toEqual([524_288, 524_288, 524_288, 12, expect.any(Number)]);
    peer.answer(call, "good");
    expect(await next).toBe("good");
  });

  test("that was given up before its turn is not sent", async () => {
    const { link, peer } = await linked();
    const abort = new AbortController();
    const first = link.call("first", [new Blob(["x".repeat(2 * MIB)])]);
    const second = link.call("second", [new Blob(["x"])], {}, { signal: abort.signal });
    abort.abort(new Error("enough"));
    await expect(second).rejects.toThrow("enough");
    const third = link.call("third");
    const calls = [await peer.next(), await peer.next()];
    expect(calls.map(({ method }) => method)).toEqual(["first", "third"]);
    for (const call of calls) peer.answer(call, null);
    await Promise.all([first, third]);
  });

  test("that the server refuses at its first chunk is sent no further, and fails its call alone", async () => {
    const { link, peer } = await linked({ ...WELCOME, maxMsgSize: 100_000 });
    peer.socket.once("message", (data: Buffer) => {
      const id = /rpc:c0+:\d+/.exec(data.toString("latin1"))?.[0] ?? "";
      peer.fail({ id } as never, { code: -32003, message: "a message of this size is over max_message" });
    });
    await expect(link.call("upload", [new Blob([new Uint8Array(96 * MIB)])])).rejects.toMatchObject({ name: "CallError", code: -32003 });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(peer.frames.slice(1).reduce((sum, { data }) => sum + data.length, 0)).toBeLessThan(48 * MIB);
    expect(link.state).toBe("open");
  });
});

describe("when the connection ends", () => {
  test("defect 23: every pending call rejects", async () => {
    const { link, peer } = await linked(undefined, { reconnect: false });
    const results = [link.call("one"), link.call("two", [], {}, { timeout: 60_000 })];
    await peer.next();
    peer.socket.close(1001, "the server stops");
    for (const result of results) await expect(result).rejects.toMatchObject({ name: "ConnectionError", code: 1001, reason: "the server stops" });
    expect(await link.closed).toEqual({ code: 1001, reason: "the server stops" });
    expect(link.state).toBe("closed");
  });

  test("without a word, it is 1006", async () => {
    const { link, peer } = await linked(undefined, { reconnect: false });
    const result = link.call("one");
    await peer.next();
    peer.socket.terminate();
    await expect(result).rejects.toMatchObject({ code: 1006 });
    expect(await link.closed).toMatchObject({ code: 1006 });
  });

  test("in the middle of a message, its call rejects", async () => {
    const { link, peer } = await linked();
    const result = link.call("one");
    await peer.next();
    peer.send(new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 0x81]));
    peer.socket.close(1011);
    await expect(result).rejects.toBeInstanceOf(ConnectionError);
  });

  test("because this side closes it, calls reject at once, and later ones too", async () => {
    const { link } = await linked();
    const result = link.call("one");
    const closing = link.close();
    expect(link.state).toBe("closing");
    await expect(result).rejects.toBeInstanceOf(ConnectionError);
    expect(await closing).toMatchObject({ code: 1000 });
    expect(await link.close()).toMatchObject({ code: 1000 });
    await expect(link.call("two")).rejects.toBeInstanceOf(ConnectionError);
    expect(link.state).toBe("closed");
  });

  test("close does not wait for ever for a server that does not answer it", async () => {
    const { link, peer } = await linked();
    peer.socket.pause();
    expect(await link.close()).toEqual({ code: 1006, reason: "the server did not respond to the close" });
    expect(link.state).toBe("closed");
    peer.socket.terminate();
  });

  test("while a Blob is read, its call rejects", async () => {
    const { link } = await linked();
    const result = link.call("upload", [new Blob(["x"])]);
    void link.close();
    await expect(result).rejects.toBeInstanceOf(ConnectionError);
  });
});
