// Items of calls in either direction, to the item (STR-1 to STR-4).
import { describe, expect, test } from "vitest";
import { ErrorCode, ProtocolError } from "../../src/errors.js";
import { Inlet, Outlet, isSource } from "../../src/rpc/streams.js";
import { turns } from "../support/inside.js";

describe("items that come", () => {
  function inlet(window: number): { inlet: Inlet; credits: number[]; items: AsyncIterator<unknown> } {
    const credits: number[] = [];
    const made = new Inlet(window, (credit) => credits.push(credit));
    return { inlet: made, credits, items: made[Symbol.asyncIterator]() };
  }

  test.each([
    [1, [2, 3, 4, 5, 6]],
    [2, [3, 4, 5, 6, 7]],
    [3, [4, 5, 6, 7, 8]],
    [4, [6, 8]],
    [5, [7, 9]],
  ])("with a window of %i give the credits %j", async (window, expected) => {
    const { inlet: one, credits, items } = inlet(window);
    for (let n = 0; n < 5; n++) {
      one.put(n, n);
      expect((await items.next()).value).toBe(n);
    }
    expect(credits).toEqual(expected);
  });

  test.each([
    ["beyond the credit", [4], 4],
    ["twice before it is taken", [1, 1], 1],
    ["that was taken", [0], 0],
  ])("%s end the stream and are named", async (_, numbers, named) => {
    const { inlet: one, items } = inlet(4);
    one.put(0, "first");
    await items.next();
    for (const n of numbers) one.put(n, n);
    one.put(2, "after"); // does not come any more
    const seen: unknown[] = [];
    const reading = async (): Promise<void> => {
      for await (const item of { [Symbol.asyncIterator]: () => items }) seen.push(item);
    };
    const error: unknown = await reading().catch((reason: unknown) => reason);
    expect(seen).not.toContain("after");
    expect(error).toBeInstanceOf(ProtocolError);
    expect(error).toMatchObject({ code: ErrorCode.limit, message: `the server sent item ${named} of a stream twice, or beyond the credit of 4` });
  });

  test("come in their order, wait, and end behind what has come", async () => {
    const { inlet: one, items } = inlet(4);
    const first = items.next();
    one.put(1, "b");
    await turns();
    one.put(0, "a");
    expect([await first, await items.next()]).toEqual([{ done: false, value: "a" }, { done: false, value: "b" }]);
    one.put(2, "c");
    one.stop({ error: undefined });
    one.stop({}); // the first end counts
    expect(await items.next()).toEqual({ done: false, value: "c" });
    await expect(items.next()).rejects.toBeUndefined();
  });

  test("go with an end that takes their place, and give no more credit", async () => {
    const { inlet: one, credits, items } = inlet(2);
    one.put(0, "a");
    one.put(1, "b");
    one.stop({}, true);
    one.renew();
    expect(await items.next()).toEqual({ done: true, value: undefined });
    expect(credits).toEqual([]);
  });

  test("are let in again after a return, and not after the end", async () => {
    const { inlet: one, credits, items } = inlet(2);
    one.renew();
    one.put(0, "a");
    await items.next();
    one.renew();
    one.put(1, "b");
    one.stop({});
    await items.next();
    one.renew();
    expect(credits).toEqual([2, 3, 3]);
  });
});

describe("items that are sent", () => {
  type Sent = [number, unknown, boolean];

  function outlet(source: AsyncIterable<unknown> | ReadableStream<unknown>): { sent: Sent[]; outlet: Outlet } {
    const sent: Sent[] = [];
    const made = new Outlet(source, (...item) => Promise.resolve(void sent.push(item)));
    return { sent, outlet: made };
  }

  function counting(length: number, closed: () => unknown = () => undefined): AsyncIterable<unknown> {
    let n = 0;
    return {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.resolve(n < length ? { done: false, value: n++ } : { done: true, value: undefined }),
        return: () => Promise.resolve({ done: true, value: closed() }),
      }),
    };
  }

  test("go within the largest credit, and end with their number", async () => {
    const { sent, outlet: one } = outlet(counting(3));
    const fed = one.feed();
    await turns();
    expect(sent).toEqual([]);
    one.grant(2);
    one.grant(1);
    await turns();
    expect(sent).toEqual([[0, 0, false], [1, 1, false]]);
    one.grant(9);
    await fed;
    expect(sent.slice(2)).toEqual([[2, 2, false], [3, null, true]]);
  });

  test("are closed once, whoever ends them", async () => {
    let closed = 0;
    const { sent, outlet: one } = outlet(counting(9, () => (closed += 1)));
    const fed = one.feed();
    one.grant(1);
    await turns();
    one.stop();
    one.stop();
    one.grant(9);
    await fed;
    expect([closed, sent]).toEqual([1, [[0, 0, false]]]);
  });

  test("do not go where the call is over while one is made", async () => {
    let make: (item: IteratorResult<unknown>) => void = () => undefined;
    const source = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<IteratorResult<unknown>>((resolve) => (make = resolve)) }) };
    const { sent, outlet: one } = outlet(source);
    const fed = one.feed();
    one.grant(5);
    await turns();
    one.stop();
    make({ done: false, value: "late" });
    await fed;
    expect(sent).toEqual([]);
  });

  test("that cannot be made end with the error, under their number", async () => {
    const { sent, outlet: one } = outlet((async function* () {
      yield await Promise.resolve("a");
      throw new RangeError("mine");
    })()); // prettier-ignore
    one.grant(5);
    await expect(one.feed()).rejects.toThrow("mine");
    expect(sent).toEqual([[0, "a", false], [1, { code: ErrorCode.exception, message: "RangeError: mine" }, true]]);
  });

  test("that cannot be sent fail with what stopped them, though its error cannot be sent either", async () => {
    const one = new Outlet(counting(1), () => Promise.reject(new Error("the line")));
    one.grant(1);
    await expect(one.feed()).rejects.toThrow("the line");
  });

  test("of a source whose closing fails, or that has none, disturb nobody", async () => {
    const failing = { [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true as const, value: undefined }), return: () => Promise.reject(new Error("no")) }) };
    const { sent, outlet: one } = outlet(failing);
    one.grant(1);
    await one.feed();
    await turns();
    expect(sent).toEqual([[0, null, true]]);
  });

  test("of a ReadableStream are read, and the rest is cancelled", async () => {
    let cancelled = 0;
    const stream = new ReadableStream({ pull: (controller) => controller.enqueue("x"), cancel: () => void (cancelled += 1) });
    const { sent, outlet: one } = outlet(stream);
    const fed = one.feed();
    one.grant(2);
    await turns();
    one.stop();
    await fed;
    await turns();
    expect([sent, cancelled]).toEqual([[[0, "x", false], [1, "x", false]], 1]);
  });
});

test("what is a source, and what is not", () => {
  const sources = [counted(), new ReadableStream(), { getReader: () => undefined }, { [Symbol.asyncIterator]: () => undefined }];
  expect(sources.map(isSource)).toEqual([true, true, true, true]);
  expect([null, undefined, "text", 7, {}, [1], { getReader: 7 }, () => 1].map(isSource)).toEqual(new Array<boolean>(8).fill(false));
});

async function* counted(): AsyncGenerator<number> {
  yield await Promise.resolve(1);
}
