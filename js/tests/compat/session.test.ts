// Sessions of the released API, ours beside npm 2.5.0, against a scripted server.
import { describe, expect, test } from "vitest";
import { MAKERS, type Opened, failure, opened, ours } from "../support/compat.js";
import { reported } from "../support/linked.js";

const notOpen = { code: -32099, message: expect.stringContaining("not open") as unknown };

/** Waits until everything that was sent before has been handled. */
async function settled({ session, peer }: Opened): Promise<void> {
  const done = session.call("sync");
  let call = await peer.next();
  while (call.method !== "sync") call = await peer.next();
  peer.answer(call, null);
  await done;
}

describe.each(MAKERS)("%s", (_, make) => {
  test("calls with args and kwargs", async () => {
    const { session, peer } = await opened(make);
    const result = session.call("sum.up", [1, "two", [3]], { four: 4 });
    const call = await peer.next();
    expect(call).toMatchObject({ wslink: "1.0", method: "sum.up", args: [1, "two", [3]], kwargs: { four: 4 } });
    expect(call.id).toMatch(/^rpc:c0{32}:\d+$/);
    peer.answer(call, { sum: 10 });
    expect(await result).toEqual({ sum: 10 });
  });

  test("calls with neither", async () => {
    const { session, peer } = await opened(make);
    void session.call("any").catch(() => undefined);
    expect(await peer.next()).toMatchObject({ method: "any", args: [], kwargs: {} });
  });

  test("matches answers to calls in any order", async () => {
    const { session, peer } = await opened(make);
    const results = Promise.all([session.call("a"), session.call("b")]);
    const [a, b] = [await peer.next(), await peer.next()];
    peer.answer(b, "b");
    peer.answer(a, "a");
    expect(await results).toEqual(["a", "b"]);
  });

  test.each([
    { code: -32601, message: "Unregistered method called", data: "any" },
    { code: -32001, message: "Exception raised", data: { method: "any", exception: "ValueError()", trace: "..." } },
    { code: 17, message: "of its own" },
  ])("rejects with a plain object: %o", async (error) => {
    const { session, peer } = await opened(make);
    const call = session.call("any");
    peer.fail(await peer.next(), error);
    const reason = await failure(call);
    expect(reason).toStrictEqual(error);
    expect(reason).not.toBeInstanceOf(Error);
  });

  test("neither calls nor subscribes before the server's welcome", async () => {
    const { WebsocketConnection } = await make();
    const connection = WebsocketConnection.newInstance({ urls: "ws://127.0.0.1:9/ws" });
    const session = connection.connect();
    expect(connection.getSession()).toBe(session);
    expect(await failure(session?.call("any") as Promise<unknown>)).toEqual(notOpen);
    expect(await failure(session?.subscribe("any", () => undefined).promise as Promise<unknown>)).toEqual(notOpen);
    connection.destroy(-1);
  });

  test("does not call after its end", async () => {
    const { session, fired } = await opened(make);
    expect(await session.close()).toBeUndefined();
    expect(await failure(session.call("any"))).toEqual(notOpen);
    await fired("close");
    expect(await failure(session.call("any"))).toEqual(notOpen);
  });

  test("hands publications over in a list of one, to every callback of the topic", async () => {
    const link = await opened(make);
    const seen: unknown[] = [];
    link.session.subscribe("news", (args) => seen.push(["first", args]));
    link.session.subscribe("news", (args) => seen.push(["second", args]));
    link.session.subscribe("other.news", (args) => seen.push(["other", args]));
    link.peer.publish("news", { n: 1 });
    link.peer.publish("unheard", 2);
    link.peer.publish("other.news", [3]);
    await settled(link);
    expect(seen).toEqual([["first", [{ n: 1 }]], ["second", [{ n: 1 }]], ["other", [[3]]]]);
  });

  test("tells the server nothing of subscriptions", async () => {
    const link = await opened(make);
    await link.session.subscribe("news", () => undefined).unsubscribe();
    void link.session.call("after").catch(() => undefined);
    expect((await link.peer.next()).method).toBe("after");
  });

  test("subscriptions say what they are, and end", async () => {
    const link = await opened(make);
    const seen: unknown[] = [];
    const callback = ([payload]: [unknown]): unknown => seen.push(payload);
    const one = link.session.subscribe("news", callback);
    const two = link.session.subscribe("news", callback);
    expect(one).toMatchObject({ topic: "news", callback });
    const info = await one.promise;
    expect(info).toEqual({ topic: "news", callback });
    expect(await link.session.unsubscribe(info)).toBeUndefined();
    link.peer.publish("news", 1);
    await settled(link);
    expect(seen).toEqual([1]);
    await two.unsubscribe();
    link.peer.publish("news", 2);
    await settled(link);
    expect(seen).toEqual([1]);
    expect(await failure(two.unsubscribe())).toMatchObject({ code: -32099 });
    expect(await failure(link.session.unsubscribe({ topic: "never", callback }))).toMatchObject({ code: -32099 });
  });

  test("sends bytes as what they are, however they come", async () => {
    const { session, peer } = await opened(make);
    const { addAttachment } = session;
    const bytes = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7);
    const values = [
      bytes.buffer, bytes, new DataView(bytes.buffer), new Float32Array(bytes.buffer), new Uint8ClampedArray(bytes),
      addAttachment(bytes.buffer), addAttachment(bytes), addAttachment(new DataView(bytes.buffer)), bytes.subarray(0, 8),
    ];
    void session.call("any", [{ nested: values }]).catch(() => undefined);
    const { args } = await peer.next();
    expect(args).toEqual([{ nested: values.map(() => bytes) }]);
  });

  test("addAttachment returns what can be sent", async () => {
    const { session } = await opened(make);
    const { addAttachment } = session;
    const bytes = new Uint8Array(3);
    expect(addAttachment(bytes)).toBe(bytes);
    expect(addAttachment(bytes.buffer)).toStrictEqual(new DataView(bytes.buffer));
    expect(addAttachment("text")).toBe("text");
  });

  test("receives bytes as Uint8Array", async () => {
    const { session, peer } = await opened(make);
    const result = session.call("any");
    peer.answer(await peer.next(), { deep: [{ data: Uint8Array.of(1, 2, 3) }] });
    const { deep } = (await result) as { deep: [{ data: Uint8Array }] };
    expect(deep[0].data).toBeInstanceOf(Uint8Array);
    expect([...deep[0].data]).toEqual([1, 2, 3]);
  });

  test("has numbers where Python has large integers, as JSON.stringify needs them", async () => {
    const { session, peer } = await opened(make);
    const result = session.call("any");
    peer.answer(await peer.next(), [2n ** 62n, -(2n ** 60n), 2 ** 40]);
    expect(await result).toEqual([2 ** 62, -(2 ** 60), 2 ** 40]);
  });

  test("sends undefined as null", async () => {
    const { session, peer } = await opened(make);
    void session.call("any", [undefined, { a: undefined }], { b: undefined }).catch(() => undefined);
    expect(await peer.next()).toMatchObject({ args: [null, { a: null }], kwargs: { b: null } });
  });

  test("sends not-a-number and the infinities", async () => {
    const { session, peer } = await opened(make);
    void session.call("any", [NaN, Infinity, -Infinity, -0.5]).catch(() => undefined);
    expect((await peer.next()).args).toEqual([NaN, Infinity, -Infinity, -0.5]);
  });
});

describe("ours", () => {
  test("sends a Blob's bytes, in its turn", async () => {
    const { session, peer } = await opened(ours);
    const data = Uint8Array.from({ length: 3000 }, (_, index) => index);
    void session.call("first", [{ file: new Blob([data]) }]).catch(() => undefined);
    void session.call("second").catch(() => undefined);
    expect(await peer.next()).toMatchObject({ method: "first", args: [{ file: data }] });
    expect(await peer.next()).toMatchObject({ method: "second" });
  });

  test("defect 23: a close of our own rejects calls that wait", async () => {
    const { session, peer } = await opened(ours);
    const waiting = session.call("any");
    await peer.next();
    void session.close();
    expect(await failure(waiting)).toEqual({ code: -32099, message: expect.stringContaining("closed") as unknown });
  });

  test("defect 23: the server's close rejects calls that wait", async () => {
    const { session, peer } = await opened(ours);
    const waiting = Promise.all([failure(session.call("any")), failure(session.call("any"))]);
    await peer.next();
    peer.socket.close(4001, "enough");
    const reason = { code: -32099, message: expect.stringContaining("4001, enough") as unknown };
    expect(await waiting).toEqual([reason, reason]);
  });

  test("defect 23: calls can have a timeout, of their own or the connection's", async () => {
    const { session } = await opened(ours, { callTimeout: 20 });
    const late = { code: -32099, message: expect.stringContaining("no response") as unknown };
    expect(await failure(session.call("any"))).toEqual(late);
    expect(await failure(session.call("any", [], {}, { timeout: 5 }))).toEqual(late);
  });

  test.each([null, "", 0, "0", NaN, -5, false, true, "no"])("a callTimeout of %o is none, and text of a number is one", async (callTimeout) => {
    const { session, peer } = await opened(ours, { callTimeout: callTimeout as never });
    for (const options of [undefined, null, {}, { timeout: null, signal: null }]) {
      const call = session.call("any", [], {}, options as never);
      peer.answer(await peer.next(), "good");
      expect(await call).toBe("good");
    }
    const timed = await opened(ours, { callTimeout: "20" as never });
    expect(await failure(timed.session.call("any"))).toMatchObject({ message: expect.stringContaining("within 20 ms") as unknown });
  });

  test("a call can be given up", async () => {
    const { session } = await opened(ours);
    const giveUp = new AbortController();
    const call = session.call("any", [], {}, { signal: giveUp.signal });
    giveUp.abort(new Error("changed my mind"));
    expect(await failure(call)).toEqual({ code: -32099, message: "changed my mind" });
  });

  test("what cannot be sent rejects", async () => {
    const { session } = await opened(ours);
    expect(await failure(session.call("any", [() => 1]))).toEqual({ code: -32099, message: "args[0]: a function cannot be sent" });
  });

  test("a message that cannot be read is reported, and the next one read", async () => {
    const { session, peer } = await opened(ours);
    const call = session.call("any");
    peer.send(new Uint8Array(3));
    peer.answer(await peer.next(), "good");
    expect(await call).toBe("good");
    expect(reported).toHaveLength(1);
  });

  test("a callback that throws is reported, and stops no other", async () => {
    const link = await opened(ours);
    const seen: unknown[] = [];
    link.session.subscribe("news", () => {
      throw new Error("mine");
    });
    link.session.subscribe("news", ([payload]) => seen.push(payload));
    link.peer.publish("news", 1);
    await settled(link);
    expect(seen).toEqual([1]);
    expect(reported).toEqual([new Error("mine")]);
  });
});
