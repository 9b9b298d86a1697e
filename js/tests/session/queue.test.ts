// The order in which messages go, and what becomes of one that is stopped, without a connection (LANE, CAN-3, RES-2).
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ConnectionError, UsageError } from "../../src/errors.js";
import { SendQueue } from "../../src/session/send-queue.js";
import { Sink, turns } from "../support/inside.js";
import { KIB, MIB, bytes, encoder, opened, slow, wanted } from "../support/queue.js";

describe("a message that is stopped while a Blob of it is read", () => {
  test("before its first chunk is not sent at all", async () => {
    const { queue, sink } = opened();
    const { blob, read } = slow(10);
    void queue.post("one", encoder.encode(blob), wanted);
    void queue.post("two", bytes(5), wanted);
    await turns();
    queue.stop("one");
    read();
    await turns();
    expect([sink.messages, sink.chunks.length]).toEqual([[new Uint8Array(5)], 1]);
    expect(queue.waiting).toEqual(new Set());
  });

  test("after its first chunk is sent no further", async () => {
    const { queue, sink } = opened();
    const { blob, read } = slow(2 * MIB);
    void queue.post("one", encoder.encode(blob), wanted);
    await turns();
    read();
    await turns();
    queue.stop("one");
    read();
    await turns();
    expect(sink.sizes).toEqual([[1, 512 * KIB - 12]]);
  });

  test("and cannot be read fails nobody", async () => {
    const { queue, sink } = opened();
    const { blob, fail } = slow(10);
    let failed = false;
    queue.post("one", encoder.encode(blob), wanted).catch(() => (failed = true));
    void queue.post("two", bytes(5), wanted);
    await turns();
    queue.stop("one");
    fail(new Error("gone"));
    await turns();
    expect([failed, sink.messages, sink.chunks.length]).toEqual([false, [new Uint8Array(5)], 1]);
  });

  test("by the end of the connection goes over the next, from its beginning", async () => {
    const { queue, sink } = opened();
    const { blob, read } = slow(10);
    void queue.post("one", encoder.encode(blob), wanted);
    await turns();
    queue.disconnect();
    const next = new Sink();
    queue.connect(next);
    queue.restore(queue.begin(false));
    queue.open();
    read();
    await turns();
    read();
    await turns();
    expect([sink.chunks, next.messages]).toEqual([[], [new Uint8Array(10)]]);
  });
});

describe("a transport that is full", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
  afterEach(() => void vi.useRealTimers());

  test("is looked at every 10 ms until it has room for large messages", async () => {
    const { queue, sink } = opened();
    sink.waiting = 2 ** 24 + 1;
    void queue.post("large", bytes(2 * MIB), wanted);
    await turns();
    expect([sink.chunks, vi.getTimerCount()]).toEqual([[], 1]);
    await vi.advanceTimersByTimeAsync(9);
    sink.waiting = 2 ** 24;
    await turns();
    expect(sink.chunks).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    await turns();
    expect(sink.chunks.length).toBeGreaterThan(1);
  });

  test("is waited for no longer than the connection lasts", async () => {
    const { queue, sink } = opened();
    sink.waiting = 2 ** 25;
    void queue.post("large", bytes(2 * MIB), wanted);
    await turns();
    queue.disconnect();
    await vi.advanceTimersByTimeAsync(10);
    expect([sink.chunks, vi.getTimerCount()]).toEqual([[], 0]);
    expect(queue.waiting).toEqual(new Set(["large"]));
  });

  test.each([undefined, 0])("is none that says %s", async (waiting) => {
    const { queue, sink } = opened();
    sink.waiting = waiting;
    void queue.post("large", bytes(2 * MIB), wanted);
    await turns();
    expect([sink.chunks.length > 1, vi.getTimerCount()]).toEqual([true, 0]);
  });
});

describe("what is withdrawn", () => {
  test("and does not wait has been sent", () => {
    const { queue } = opened();
    const sent = vi.fn();
    queue.withdraw("none", sent);
    expect(sent).toHaveBeenCalledOnce();
  });

  test("before it has begun is not sent, and nobody hears of it", async () => {
    const { queue, sink } = opened();
    const { blob, read } = slow(10);
    const sent = vi.fn();
    void queue.post("blob", encoder.encode(blob), wanted);
    void queue.post("one", bytes(5), wanted);
    queue.sendsEnds = true;
    queue.withdraw("one", sent);
    await turns();
    read();
    await turns();
    expect([sink.messages, sink.chunks.length, sent.mock.calls]).toEqual([[new Uint8Array(10)], 1, []]);
  });

  test("after that goes to its end where the server knows no ends", async () => {
    const { queue, sink } = opened();
    const { blob, read } = slow(MIB);
    const order: string[] = [];
    void queue.post("one", encoder.encode(blob), wanted).then(() => order.push("posted"));
    await turns();
    read();
    await turns();
    queue.withdraw("one", () => order.push("sent"));
    for (let n = 0; n < 2; n++) {
      expect(order).toEqual([]);
      read();
      await turns();
    }
    expect(order).toEqual(["sent", "posted"]);
    expect(sink.chunks.reduce((sum, { body }) => sum + body.length, 0)).toBe(MIB + 5);
  });

  test("after that is ended where it does", async () => {
    const { queue, sink } = opened();
    queue.sendsEnds = true;
    const { blob, read } = slow(2 * MIB);
    void queue.post("one", encoder.encode(blob), wanted);
    void queue.post("two", bytes(5), wanted);
    await turns();
    read();
    await turns();
    queue.withdraw("one", () => expect.unreachable());
    read();
    await turns();
    expect(sink.chunks.slice(1).map(({ id, offset, total, body }) => [id, offset, total, body.length])).toEqual([
      [1, 2 * MIB + 5, 2 * MIB + 5, 0],
      [2, 0, 7, 7],
    ]);
  });
});

describe("a message that cannot be read", () => {
  test.each([
    [false, 512 * KIB - 12],
    [true, 2 * MIB + 5],
  ])("is made malformed, or ended (%s), where it has begun", async (ends, offset) => {
    const { queue, sink } = opened();
    queue.sendsEnds = ends;
    const { blob, read, fail } = slow(2 * MIB);
    const posted = queue.post("one", encoder.encode(blob), wanted);
    const failed = expect(posted).rejects.toThrow("gone");
    await turns();
    read();
    await turns();
    fail(new Error("gone"));
    await failed;
    expect(sink.chunks.at(-1)).toEqual({ id: 1, offset, total: 2 * MIB + 5, body: new Uint8Array(0) });
  });

  test.each([false, true])("is nothing to the server where it has not (%s)", async (ends) => {
    const { queue, sink } = opened();
    queue.sendsEnds = ends;
    const { blob, fail } = slow(10);
    const failed = expect(queue.post("one", encoder.encode(blob), wanted)).rejects.toThrow("gone");
    await turns();
    fail(new Error("gone"));
    await failed;
    void queue.post("two", bytes(5), wanted);
    expect(sink.sizes).toEqual([[1, 7]]);
  });
});

describe("what nobody wants any more", () => {
  test("does not go, and counts as sent", async () => {
    const { queue, sink } = opened();
    const { blob, read } = slow(10);
    void queue.post("blob", encoder.encode(blob), wanted);
    let want = true;
    const unwanted = queue.post("one", bytes(5), () => want);
    const last = queue.post("two", bytes(6), wanted);
    await turns();
    want = false;
    read();
    await Promise.all([unwanted, last]);
    expect([sink.messages, sink.chunks.length]).toEqual([[new Uint8Array(10), new Uint8Array(6)], 2]);
  });

  test("goes where the server waits for the rest of it", async () => {
    const { queue, sink } = opened();
    let want = true;
    const posted = queue.post("one", bytes(2 * MIB), () => want);
    await turns(1);
    want = false;
    await posted;
    expect(sink.chunks.reduce((sum, { body }) => sum + body.length, 0)).toBe(2 * MIB + 5);
  });
});

describe("between connections", () => {
  test("waits what maxResume holds, and any one message", async () => {
    const queue = new SendQueue(1000);
    void queue.post("large", bytes(5000), wanted);
    await expect(queue.post("small", bytes(1), wanted)).rejects.toEqual(new ConnectionError("more than maxResume (1000 bytes) would wait for the connection", 1006, ""));
    const other = new SendQueue(1000);
    void other.post("one", bytes(497), wanted); // 500 bytes as a message
    void other.post("two", bytes(497), wanted);
    await expect(other.post("three", bytes(0), wanted)).rejects.toMatchObject({ code: 1006, reason: "" });
    expect([queue.waiting, other.waiting]).toEqual([new Set(["large"]), new Set(["one", "two"])]);
  });

  test("and while one is open, no more than 4 GiB are one message", async () => {
    const { queue } = opened();
    const [part] = bytes(5).parts;
    await queue.post("largest", { parts: [part], size: 2 ** 32 - 1 }, wanted);
    await expect(queue.post("one", { parts: [part], size: 2 ** 32 }, wanted)).rejects.toEqual(new UsageError("a message holds at most 4 GiB, not 4294967296 bytes"));
  });

  test("what has begun is forgotten by a session that cannot be resumed, and the rest goes in the next", async () => {
    const { queue, sink } = opened();
    const { blob, read } = slow(MIB);
    void queue.post("begun", encoder.encode(blob), wanted);
    void queue.post("waits", bytes(5), wanted);
    await turns();
    read();
    await turns();
    expect(queue.waiting).toEqual(new Set(["waits"]));
    queue.disconnect();
    read();
    await turns();
    expect(sink.sizes).toEqual([[1, 512 * KIB - 12]]);
    const next = new Sink();
    queue.connect(next);
    const again = queue.begin(false);
    expect([again.map(({ id }) => id), queue.waiting]).toEqual([["waits"], new Set()]);
    queue.restore(again);
    queue.open();
    await turns();
    expect(next.messages).toEqual([new Uint8Array(5)]);
  });
});
