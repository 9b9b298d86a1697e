// A session, frame by frame, without a connection: what it sends and says in answer to what it receives.
import { encode } from "@msgpack/msgpack";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CallError, ConnectionError, ErrorCode, ProtocolError, UnsupportedError, UsageError } from "../../src/errors.js";
import type { Feature } from "../../src/session/features/feature.js";
import { Session } from "../../src/session/session.js";
import type { Transfer } from "../../src/session/transfers.js";
import { withDefaults } from "../../src/wire/limits.js";
import { HELLO, Sink, opened, turns } from "../support/inside.js";
import { CLIENT_ID, frame, message } from "../support/peer.js";

let reported: unknown[];
beforeEach(() => {
  reported = [];
  vi.spyOn(console, "error").mockImplementation((error) => void reported.push(error));
});
afterEach(() => void vi.restoreAllMocks());

const gone = new ConnectionError("gone", 1006, "");
const call = (n: number): string => `rpc:${CLIENT_ID}:${n}`;

/** What a promise has become, after some turns. */
async function outcome(promise: Promise<unknown>): Promise<unknown> {
  let settled: unknown = "waits";
  promise.then((value) => (settled = { value }), (error: unknown) => (settled = { error }));
  await turns(3);
  return settled;
}

describe("hello", () => {
  function greeting(options: object = {}): { session: Session; sink: Sink; said: Promise<unknown>; answer: (result: object) => void } {
    const session = new Session({ ...withDefaults({}), ...options });
    const sink = new Sink();
    session.connect(sink);
    const said = session.hello("s3cret", {});
    return { session, sink, said, answer: (result) => session.receive(message({ ...HELLO, result: { clientID: CLIENT_ID, ...result } }, 0)) };
  }

  test("announces what there is, and is numbered as the first message, or with 0 where the session can be resumed", () => {
    const { sink, session } = greeting();
    const features = ["subscribe", "arrays", "flow", "cancel", "progress", "handle", "stream"];
    expect(sink.messages).toMatchObject([{ wslink: "1.0", id: "system:c0:0", method: "wslink.hello", args: [{ secret: "s3cret", features }] }]);
    expect([session.state, sink.sizes[0]?.[0]]).toEqual(["new", 1]);
    const other = greeting({ lost: () => undefined, features: [() => ({ name: "mine" })] });
    expect(other.sink.messages).toMatchObject([{ args: [{ features: [...features, "resume", "mine"], resume: {} }] }]);
    expect(other.sink.sizes[0]?.[0]).toBe(0);
  });

  test.each<[string, object, object, object]>([
    ["no resumption", {}, { features: ["arrays", "theirs"] }, { features: ["arrays"], resumed: false, reason: "unsupported", resumption: undefined }],
    ["resumption that was not accepted", { lost: () => undefined }, { features: [], resume: { token: "t", epoch: "e" } }, { features: [], resumed: false, reason: "unsupported", resumption: undefined }],
    ["resumption", { lost: () => undefined }, { features: ["resume"], resume: { token: "t", epoch: "e", reason: "expired" } }, { features: ["resume"], resumed: false, reason: "expired" }],
  ])("tells of %s", async (_, options, result, told) => {
    const { said, answer, session } = greeting(options);
    answer(result);
    expect(await said).toMatchObject({ clientId: CLIENT_ID, ...told });
    expect(session.state).toBe("open");
  });

  test("of a released client announces nothing, and what the server accepts counts for nothing", async () => {
    const { said, answer, sink, session } = greeting({ asReleased: true });
    expect(sink.messages).toEqual([{ wslink: "1.0", id: "system:c0:0", method: "wslink.hello", args: [{ secret: "s3cret" }] }]);
    answer({ features: ["arrays", "cancel"] });
    expect(await said).toMatchObject({ features: [] });
    void session.call("a.b", [new Float32Array(1)], undefined, {});
    expect(sink.messages.at(-1)).toMatchObject({ args: [new Uint8Array(4)] });
    const large = session.call("c.d", [], undefined, {});
    session.receive(message({ id: call(2), result: 2n ** 60n }));
    expect(await large).toBe(2 ** 60);
  });

  test("that gets no answer before the connection ends rejects with that, and the session is not open", async () => {
    for (const event of ["end", "close"] as const) {
      const { said, session } = greeting();
      session.end(event, gone);
      expect(await outcome(said)).toEqual({ error: gone });
      expect(session.state).toBe(event === "end" ? "closed" : "closing");
    }
    const { said, session } = greeting();
    session.disconnect(gone);
    expect(await outcome(said)).toEqual({ error: gone });
    expect(session.state).toBe("new"); // it was never open: there is nothing to take up
  });

  test("is answered once", async () => {
    const { said, answer, session } = greeting();
    answer({ maxMsgSize: 100 });
    await said;
    answer({ clientID: "other", maxMsgSize: 50 });
    const sink = new Sink();
    session.connect(sink);
    void session.call("a.b", [new Uint8Array(200)], undefined, {}).catch(() => undefined);
    await turns();
    expect(sink.sizes[0]?.[1]).toBe(88);
    expect(reported).toEqual([]);
  });
});

describe("a call", () => {
  test("has only the keys that it needs", async () => {
    const { session, sink } = await opened();
    void session.call("a.b", [1], undefined, {});
    void session.call("a.b", [], {}, { onProgress: () => undefined });
    expect(sink.messages).toEqual([
      { wslink: "1.0", id: call(1), method: "a.b", args: [1] },
      { wslink: "1.0", id: call(2), progress: true, method: "a.b", args: [], kwargs: {} },
    ]);
  });

  test.each([
    ["text", "text", "\"text\""],
    ["nothing", undefined, "undefined"],
  ])("whose arguments are %s is not made", async (_, args, type) => {
    const { session, sink } = await opened();
    expect(await outcome(session.call("a.b", args as never, undefined, {}))).toEqual({ error: new UsageError(`args must be a list, not ${type}`) });
    expect(sink.chunks).toEqual([]);
  });

  test("after the end rejects, before its arguments are looked at", async () => {
    const { session } = await opened();
    session.end("end", gone);
    expect(await outcome(session.call("a.b", 5 as never, undefined, {}))).toEqual({ error: gone });
    session.end("end", new ConnectionError("again", 1000, ""));
    expect(await outcome(session.call("a.b", [], undefined, {}))).toEqual({ error: gone });
  });

  test("that is made twice carries the same id, goes as often as it is interrupted, and is forgotten with its response", async () => {
    const { session, sink } = await opened([], {}, {});
    const made = session.call("a.b", [1], undefined, { retry: true });
    const interrupted = { id: call(1), error: { code: ErrorCode.interrupted, message: "moved" } };
    for (let n = 1; n <= 2; n++) session.receive(message(interrupted, n));
    await turns();
    expect(sink.messages).toEqual(new Array(3).fill({ wslink: "1.0", id: call(1), method: "a.b", args: [1] }));
    session.receive(message({ id: call(1), result: 5 }, 3));
    expect(await made).toBe(5);
    session.receive(message(interrupted, 4));
    await turns();
    expect(sink.messages).toHaveLength(3);
  });

  test("that fails for another reason is not made again", async () => {
    const { session, sink } = await opened();
    const made = session.call("a.b", [1], undefined, { retry: true });
    session.receive(message({ id: call(1), error: { code: 5, message: "no", data: 7 } }));
    expect(await outcome(made)).toMatchObject({ error: new CallError("a.b", 5, "no", 7) });
    expect(sink.chunks).toHaveLength(1);
  });

  test("whose message is refused is sent no further", async () => {
    const { session, sink } = await opened();
    const made = session.call("a.b", [new Blob([new Uint8Array(2 ** 21)])], undefined, {});
    while (sink.chunks.length === 0) await turns(1);
    session.receive(message({ id: call(1), error: { code: ErrorCode.limit, message: "too large" } }));
    expect(await outcome(made)).toMatchObject({ error: { code: ErrorCode.limit } });
    await turns(50);
    expect(sink.chunks.length).toBeLessThan(5);
  });

  test("with streams as arguments is not made again, and needs a server that knows streams", async () => {
    const { session, sink } = await opened(["stream"], {}, {});
    const source = (): ReadableStream => new ReadableStream();
    const made = session.call("a.b", [1, source()], { by: source() }, { retry: true });
    expect(sink.messages).toMatchObject([{ args: [1, { type: 2, data: new Uint8Array([0]) }], kwargs: { by: { type: 2, data: new Uint8Array([1]) } } }]);
    session.receive(message({ id: call(1), error: { code: ErrorCode.interrupted, message: "moved" } }, 1));
    expect(await outcome(made)).toMatchObject({ error: { name: "ConnectionError", code: 1012, reason: "moved", message: "a.b: moved" } });
    const many = (length: number): ReadableStream[] => Array.from({ length }, source);
    expect(await outcome(session.call("a.b", many(129), undefined, {}))).toEqual({ error: new UsageError("a call has at most 128 streams as arguments") });
    void session.call("a.b", many(128), undefined, {});
    expect(sink.chunks).toHaveLength(2);
    const { session: other } = await opened();
    expect(await outcome(other.call("a.b", [source()], undefined, {}))).toEqual({ error: new UnsupportedError("this server knows no streams") });
  });
});

describe("what is received", () => {
  test("is nobody's after the end", async () => {
    const { session } = await opened();
    session.end("end", gone);
    session.receive("text");
    expect(reported).toEqual([]);
  });

  test.each<[string, Uint8Array | string, RegExp]>([
    ["text", "{}", /a text frame \(DET-2\)/],
    ["a call that nobody may make", message({ id: "rpc:x:1", method: "a.b" }), /the server sent a message of no extension that is in use \(call, EXT-4\)/],
    ["an extension's message", frame(encode([99, 1])), /the server sent a message of no extension that is in use \(99, EXT-4\)/],
  ])("and is %s is reported in words", async (_, data, words) => {
    const { session } = await opened();
    session.receive(data);
    expect(reported).toEqual([expect.objectContaining({ code: ErrorCode.invalidRequest, message: expect.stringMatching(words) as string })]);
    expect(reported[0]).toBeInstanceOf(ProtocolError);
  });

  test("and says that a message of this side was malformed is reported in words", async () => {
    const { session } = await opened();
    session.receive(message({ id: "system:malformed:0", error: { code: ErrorCode.parse, message: "too short" } }));
    expect(reported).toEqual([new CallError("a message of this client", ErrorCode.parse, "too short")]);
  });

  test("and reads badly rejects its call, or is reported where it has none", async () => {
    const { session } = await opened();
    const made = session.call("a.b", [], undefined, {});
    session.receive(message({ id: call(2) }));
    expect(reported).toHaveLength(1);
    session.receive(message({ id: call(1), error: 5 }));
    expect(await outcome(made)).toMatchObject({ error: { name: "ProtocolError" } });
    expect(reported).toHaveLength(1);
  });

  test("twice under one number counts once (RES-3)", async () => {
    const { session } = await opened(["resume"], {}, {});
    const calls = [1, 2, 3].map(() => session.call("a.b", [], undefined, {}));
    const answer = (n: number, number: number): void => session.receive(message({ id: call(n), result: n }, number));
    answer(1, 1);
    answer(2, 1);
    expect(await outcome(calls[1] as Promise<unknown>)).toBe("waits");
    answer(2, 3);
    answer(3, 2);
    answer(3, 0);
    expect(await Promise.all(calls)).toEqual([1, 2, 3]);
    expect(reported).toEqual([]);
  });

  test("and is given up counts as received, with its frame", async () => {
    const { session, sink } = await opened(["resume", "flow"], { maxMessage: 1000 }, {});
    session.receive(frame(new Uint8Array(5), { id: 1, total: 2000 }));
    session.receive(frame(new Uint8Array(5), { id: 2, offset: 10, total: 12 }));
    session.receive(new Uint8Array(3));
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect((sink.messages.at(-1) as number[]).slice(0, 2)).toEqual([1, 17 + 17 + 3]);
    expect((sink.messages.at(-1) as unknown[]).slice(3)).toEqual([2, []]);
    expect(reported).toHaveLength(3);
  });
});

describe("transfers", () => {
  test("of responses are told chunk by chunk, whatever else arrives, and end with the response", async () => {
    const { session } = await opened();
    const seen: [number, Transfer][] = [];
    const calls = [1, 2].map((n) => session.call("a.b", [], undefined, { onTransfer: (transfer) => seen.push([n, transfer]) }));
    const third = session.call("a.b", [], undefined, {});
    seen.length = 0;
    const bodies = [1, 2, 3].map((n) => encode({ id: call(n), result: new Uint8Array(90) }));
    const total = bodies[0]?.length as number;
    const part = (n: number, offset: number, end: number): void => session.receive(frame((bodies[n - 1] as Uint8Array).subarray(offset, end), { id: 70 + n, offset, total }));
    part(2, 50, 60); // whose it is nobody knows yet
    part(1, 0, 50);
    part(3, 0, 50);
    part(2, 0, 50);
    part(1, 50, 70);
    part(2, 60, total);
    part(1, 70, 80);
    part(1, 80, total);
    part(3, 50, total);
    await Promise.all([...calls, third]);
    expect(seen).toEqual([
      [1, { received: 50, total }],
      [2, { received: 50, total }],
      [1, { received: 70, total }],
      [2, { received: total, total }],
      [1, { received: 80, total }],
      [1, { received: total, total }],
    ]);
  });

  test("of a response that the server ends are told no more", async () => {
    const { session } = await opened(["cancel"]);
    const seen: Transfer[] = [];
    void session.call("a.b", [], undefined, { onTransfer: (transfer) => seen.push(transfer) });
    const body = encode({ id: call(1), result: new Uint8Array(90) });
    session.receive(frame(body.subarray(0, 50), { id: 7, total: body.length }));
    session.receive(frame(new Uint8Array(0), { id: 7, offset: body.length, total: body.length }));
    expect(seen.slice(1)).toEqual([{ received: 50, total: body.length }]);
  });

  test("of a call that is over are nobody's", async () => {
    const { session } = await opened();
    const abort = new AbortController();
    const seen: Transfer[] = [];
    const made = session.call("a.b", [], undefined, { signal: abort.signal, onTransfer: (transfer) => seen.push(transfer) });
    const body = encode({ id: call(1), result: new Uint8Array(90) });
    session.receive(frame(body.subarray(0, 50), { id: 7, total: body.length }));
    abort.abort();
    await made.catch(() => undefined);
    await turns();
    session.receive(frame(body.subarray(50, 60), { id: 7, offset: 50, total: body.length }));
    expect(seen).toEqual([{ sent: expect.any(Number) as number, total: expect.any(Number) as number }, { received: 50, total: body.length }]);
    expect(seen[0]?.sent).toBe(seen[0]?.total);
  });
});

describe("extensions of an application", () => {
  test("stand around what is called, the first innermost, and take what is theirs alone", async () => {
    const seen: unknown[] = [];
    const made = (name: string): Feature => ({
      name,
      negotiated: (accepted) => void seen.push([name, accepted]),
      disconnected: () => void seen.push([name, "disconnected"]),
      resumed: () => void seen.push([name, "resumed"]),
      end: (error) => void seen.push([name, error]),
      around: (kind, method, inner) => (kind === "call" ? (((...args: [string, object?]) => (seen.push([name, method]), (inner as (...all: unknown[]) => unknown)(...args))) as never) : inner),
      receive: (one) => one.kind === "extension" && one.type === 50 && seen.push([name, one.items]) > 0,
    });
    const { session } = await opened(["two", "resume"], { features: [() => made("one"), () => made("two")] }, {});
    void session.call("a.b", [], undefined, {}).catch(() => undefined);
    session.receive(frame(encode([50, "x"]), { id: 0 }));
    session.disconnect(gone);
    session.connect(new Sink());
    const hello = session.hello(undefined, {});
    session.receive(message({ ...HELLO, result: { clientID: CLIENT_ID, features: ["two", "resume"], resume: { token: "t", epoch: "e", resumed: true, received: 1, missing: [] } } }, 0));
    expect(await hello).toMatchObject({ resumed: true, reason: undefined, features: ["two", "resume"] });
    session.end("end", gone);
    expect(seen).toEqual([
      ["one", false], ["two", true], ["two", "a.b"], ["one", "a.b"], ["one", [50, "x"]], ["one", "disconnected"], ["two", "disconnected"],
      ["one", "resumed"], ["two", "resumed"], ["one", "disconnected"], ["two", "disconnected"], ["one", gone], ["two", gone],
    ]);
  });
});

describe("a connection that ends", () => {
  const welcome = (session: Session, features: string[], resume?: object): void =>
    session.receive(message({ ...HELLO, result: { clientID: CLIENT_ID, features, ...(resume && { resume: { token: "t", epoch: "e", ...resume } }) } }, 0));

  test("fails at once what a server that cannot resume may have got, and what waits goes to the next", async () => {
    const { session } = await opened();
    const [sure, again] = [session.call("a.b", [], undefined, {}), session.call("c.d", [], undefined, { retry: true })];
    session.disconnect(gone);
    expect(session.state).toBe("reconnecting");
    expect(await outcome(sure)).toEqual({ error: gone });
    const late = session.call("e.f", [], undefined, {});
    const next = new Sink();
    session.connect(next);
    const hello = session.hello("s3cret", {});
    expect(next.messages).toHaveLength(1);
    welcome(session, []);
    await hello;
    await turns();
    expect(next.messages.slice(1)).toMatchObject([{ id: call(2), method: "c.d" }, { id: call(3), method: "e.f" }]);
    session.receive(message({ id: call(2), result: 2 }));
    session.receive(message({ id: call(3), result: 3 }));
    expect(await Promise.all([again, late])).toEqual([2, 3]);
  });

  test("fails what it may have got only once the next cannot resume", async () => {
    const { session } = await opened(["resume"], {}, {});
    const made = session.call("a.b", [], undefined, {});
    session.disconnect(gone);
    expect(await outcome(made)).toBe("waits");
    session.connect(new Sink());
    const hello = session.hello("s3cret", {});
    welcome(session, ["resume"], { resumed: false, reason: "expired" });
    expect(await hello).toMatchObject({ resumed: false, reason: "expired" });
    expect(await outcome(made)).toEqual({ error: gone });
  });

  test("sends again under its number what the next lacks, and the rest no more (RES-2)", async () => {
    const { session } = await opened(["resume"], {}, {});
    for (let n = 0; n < 2; n++) void session.call("a.b", [n], undefined, {}).catch(() => undefined);
    session.disconnect(gone);
    const next = new Sink();
    session.connect(next);
    const hello = session.hello("s3cret", {});
    welcome(session, ["resume"], { resumed: true, received: 2, missing: [1] });
    expect(await hello).toMatchObject({ resumed: true, reason: undefined });
    await turns();
    expect(next.sizes.map(([id]) => id)).toEqual([0, 1]);
    expect(next.messages[1]).toMatchObject({ id: call(1), args: [0] });
  });

  test("makes a call once that waited, though it may be made twice", async () => {
    const { session } = await opened(["resume"], {}, {});
    session.disconnect(gone);
    const made = session.call("a.b", [], undefined, { retry: true });
    const next = new Sink();
    session.connect(next);
    const hello = session.hello("s3cret", {});
    welcome(session, ["resume"], { resumed: false });
    await hello;
    await turns();
    expect(next.messages.slice(1)).toMatchObject([{ method: "a.b" }]);
    session.receive(message({ id: call(1), result: 1 }, 1));
    expect(await made).toBe(1);
  });
});

test("a stream takes 16 items at a time, and is given up by who reads no further", async () => {
  const { session, sink } = await opened(["stream", "cancel"]);
  const stream = session.stream("a.b", [1], { x: 2 }, {});
  const first = stream.next();
  await turns(2);
  expect(sink.messages).toEqual([{ wslink: "1.0", id: call(1), stream: 16, method: "a.b", args: [1], kwargs: { x: 2 } }]);
  session.receive(frame(encode([3, call(1), 0, "item"])));
  expect(await first).toEqual({ done: false, value: "item" });
  await stream.return();
  expect(sink.messages.slice(1)).toEqual([[6, call(1)]]);
  session.receive(message({ id: call(1), error: { code: ErrorCode.cancelled, message: "Cancelled" } }));
  expect(reported).toEqual([]);
});
