// Numbers of messages, and turns of large ones, without a connection (RES-2 to RES-4, RES-13, LANE-2, LANE-3).
import { describe, expect, test, vi } from "vitest";
import { SendQueue } from "../../src/session/send-queue.js";
import type { Transfer } from "../../src/session/transfers.js";
import { Sink, turns } from "../support/inside.js";
import { KIB, MIB, bytes, encoder, opened, slow, wanted } from "../support/queue.js";

describe("numbers", () => {
  test("without them messages count from 1, notices among them", () => {
    const { queue, sink } = opened();
    queue.notify(encoder.encode([1]));
    queue.urge(encoder.encode([2]));
    void queue.post("one", bytes(1), wanted);
    queue.notify(encoder.encode([3]), 9);
    expect(sink.sizes.map(([id]) => id)).toEqual([1, 2, 3, 9]);
  });

  test("with them notices have none, and what is urgent and messages are kept until they are acknowledged", async () => {
    const { queue, sink } = opened({ numbered: true });
    queue.notify(encoder.encode([1]));
    queue.urge(encoder.encode([2]));
    void queue.post("one", bytes(1), wanted);
    void queue.post("two", bytes(2), wanted);
    expect(sink.sizes.map(([id]) => id)).toEqual([0, 1, 2, 3]);
    queue.disconnect();
    const next = new Sink();
    queue.connect(next);
    queue.resume(3, [2], new Map());
    queue.open();
    await turns();
    expect(next.chunks.map(({ id, body }) => [id, body.length])).toEqual([[2, 3]]);
  });

  test("without a connection notices are lost, and what is urgent waits where it is numbered", async () => {
    for (const numbered of [false, true]) {
      const queue = new SendQueue(MIB);
      if (numbered) queue.begin(true);
      queue.notify(encoder.encode([1]));
      queue.urge(encoder.encode([2]));
      const sink = new Sink();
      queue.connect(sink);
      queue.open();
      await turns();
      expect(sink.messages).toEqual(numbered ? [[2]] : []);
    }
  });

  test("of more than may be kept are lost, until they are acknowledged (RES-4)", () => {
    const { queue } = opened({ numbered: true, maxKept: 100 });
    void queue.post("one", bytes(83), wanted); // 97 bytes as a frame
    expect(queue.overflowed).toBe(false);
    void queue.post("two", bytes(1), wanted);
    expect(queue.overflowed).toBe(true);
    queue.received(1, []);
    expect(queue.overflowed).toBe(true);
    queue.received(2, []);
    expect(queue.overflowed).toBe(false);
  });

  test("what a Blob holds is not kept", async () => {
    const { queue } = opened({ numbered: true, maxKept: 100 });
    await queue.post("one", encoder.encode(new Blob([new Uint8Array(5000)])), wanted);
    expect(queue.overflowed).toBe(false);
  });

  test("a message goes on from where the server lacks it (RES-13), and anew where that is nowhere in it", async () => {
    for (const [begun, first] of [[700_000, 700_000], [0, 0], [2 * MIB + 5, 0], [undefined, 0]] as const) {
      const { queue, sink } = opened({ numbered: true, maxKept: 4 * MIB });
      await queue.post("one", bytes(2 * MIB), wanted);
      expect(sink.chunks.length).toBe(5);
      queue.disconnect();
      const next = new Sink();
      queue.connect(next);
      queue.resume(0, [], new Map(begun === undefined ? [] : [[1, begun]]));
      queue.open();
      await turns(40);
      expect(next.chunks.map(({ id, offset }) => [id, offset])[0]).toEqual([1, first]);
      expect(next.chunks.reduce((sum, { body }) => sum + body.length, 0)).toBe(2 * MIB + 5 - first);
    }
  });

  test("nor does what was read for the connection before change from where it goes on", async () => {
    const { queue } = opened({ numbered: true, maxKept: 4 * MIB });
    const { blob, read } = slow(2 * MIB);
    void queue.post("one", encoder.encode(blob), wanted);
    await turns();
    read();
    await turns();
    queue.disconnect();
    const next = new Sink();
    queue.connect(next);
    queue.resume(0, [], new Map([[1, 524_276]]));
    queue.open();
    for (let n = 0; n < 2; n++) {
      read();
      await turns();
    }
    expect(next.chunks[0]).toMatchObject({ id: 1, offset: 524_276 });
  });

  test("an end that was not heard is said again, and nothing else of its message", async () => {
    const { queue } = opened({ numbered: true, maxKept: 4 * MIB });
    queue.sendsEnds = true;
    const { blob, read } = slow(2 * MIB);
    void queue.post("one", encoder.encode(blob), wanted);
    await turns();
    read();
    await turns();
    queue.withdraw("one", () => undefined);
    queue.disconnect();
    const next = new Sink();
    queue.connect(next);
    queue.resume(0, [], new Map());
    queue.open();
    read();
    await turns();
    expect(next.chunks).toEqual([{ id: 1, offset: 2 * MIB + 5, total: 2 * MIB + 5, body: new Uint8Array(0) }]);
  });
});

describe("to a server that acknowledges", () => {
  test("messages of up to 16 KiB pass larger ones, which go no further than it has room for (LANE-2)", async () => {
    const { queue, sink } = opened({ flow: true });
    void queue.post("large", bytes(MIB), wanted);
    await turns();
    const before = sink.chunks.length;
    expect(before).toBe(4); // of 16 KiB each: 64 KiB may be on their way
    const small = queue.post("small", bytes(16_384 - 3), wanted);
    void queue.post("not quite", bytes(16_384 - 2), wanted);
    await turns();
    expect(sink.chunks.length).toBe(before);
    queue.acknowledged(sink.chunks.reduce((sum, { body }) => sum + body.length + 12, 0), 0);
    await small;
    expect(sink.chunks[before]?.body.length).toBe(16_384);
    queue.disconnect();
  });

  test("a small one does not pass those that wait, though there is room again", async () => {
    const { queue, sink } = opened({ flow: true });
    void queue.post("large", bytes(MIB), wanted);
    await turns();
    void queue.post("first", bytes(5), wanted);
    queue.acknowledged(sink.chunks.reduce((sum, { body }) => sum + body.length + 12, 0), 0);
    void queue.post("second", bytes(6), wanted);
    await turns();
    expect(sink.sizes.filter(([id]) => id > 1)).toEqual([[2, 7], [3, 8]]);
    queue.disconnect();
  });

  test("no more than 16 large ones take turns", async () => {
    const { queue, sink } = opened({ flow: true });
    for (let n = 0; n < 18; n++) void queue.post(`${n}`, bytes(100_000), wanted);
    for (let n = 0; n < 60 && sink.chunks.length < 40; n++) {
      await turns(3);
      queue.acknowledged(sink.chunks.reduce((sum, { body }) => sum + body.length + 12, 0), 0);
    }
    const ids = sink.chunks.map(({ id }) => id);
    expect(ids.slice(0, 16)).toEqual(Array.from({ length: 16 }, (_, n) => n + 1));
    expect(ids.indexOf(17)).toBeGreaterThanOrEqual(20);
    queue.disconnect();
  });

  test.each([
    [16_384 - 12, 9],
    [16_384, 8],
  ])("after smaller ones of %i bytes, as soon as they hold more than 8 chunks, a chunk of a large one goes (LANE-3)", async (size, between) => {
    vi.useFakeTimers({ toFake: ["performance", "setTimeout", "clearTimeout"], now: 0 });
    const { queue, sink } = opened({ flow: true });
    void queue.post("large", bytes(MIB), wanted);
    for (let n = 0; n < 30; n++) {
      await turns(3);
      if (n === 0) for (let small = 0; small < 40; small++) void queue.post(`${small}`, bytes(size - 3), wanted);
      await vi.advanceTimersByTimeAsync(1000);
      queue.acknowledged(sink.chunks.reduce((sum, { body }) => sum + body.length + 12, 0), 0);
    }
    vi.useRealTimers();
    const large = sink.chunks.flatMap(({ id }, at) => (id === 1 ? [at] : []));
    const first = sink.chunks.findIndex(({ id }) => id !== 1);
    const turn = large.filter((at) => at > first);
    expect([(turn[0] as number) - first, (turn[1] as number) - (turn[0] as number) - 1]).toEqual([between, between]);
    queue.disconnect();
  });

  test("a frame is no larger than the server takes, and holds at least a byte", async () => {
    const { queue, sink } = opened();
    queue.frameSize = 12;
    void queue.post("one", bytes(3), wanted);
    await turns();
    expect(sink.sizes).toEqual(new Array(5).fill([1, 1]));
  });
});

test.each([
  [2 ** 22, MIB],
  [100_000, 100_000],
])("with frames of up to %i bytes a message goes as a whole up to %i, header included", async (frameSize, most) => {
  const { queue, sink } = opened();
  queue.frameSize = frameSize;
  await queue.post("whole", bytes(most - 12 - 5), wanted);
  expect(sink.sizes).toEqual([[1, most - 12]]);
  await queue.post("cut", bytes(most - 12 - 4), wanted);
  expect(sink.sizes.length).toBeGreaterThan(2);
});

test("chunks and whole messages are told of", async () => {
  const { queue } = opened();
  const seen: Transfer[] = [];
  await queue.post("small", bytes(8), wanted, (transfer) => seen.push(transfer));
  await queue.post("large", bytes(MIB), wanted, (transfer) => seen.push(transfer));
  const total = MIB + 5;
  expect(seen).toEqual([{ sent: 10, total: 10 }, ...[1, 2].map((n) => ({ sent: n * (512 * KIB - 12), total })), { sent: total, total }]);
});
