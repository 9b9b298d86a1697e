// What an assembler accepts to the byte, what it says of the rest, and what is left of a message that it gives up (G2-6 to G2-8).
import { describe, expect, test } from "vitest";
import { ErrorCode } from "../../src/errors.js";
import { Assembler } from "../../src/wire/assembler.js";
import { MAX_SMALL_CHUNKS } from "../../src/wire/limits.js";
import { chunk } from "../support/inside.js";

const limits = { maxMessage: 100, maxPartial: 2 };

function numbered(length: number): number[] {
  return Array.from({ length }, (_, at) => at % 256);
}

describe("names what is wrong", () => {
  test.each<[string, Uint8Array[], number, RegExp]>([
    ["no header", [new Uint8Array(11)], ErrorCode.parse, /a frame of 11 bytes has no room for its header/],
    ["another total", [chunk(1, 0, 5, 20), chunk(1, 5, 9, 21)], ErrorCode.parse, /changed from 20 to 21 bytes/],
    ["beyond the end", [chunk(1, 15, 21, 20)], ErrorCode.parse, /beyond its message of 20 bytes/],
    ["an empty chunk", [chunk(1, 5, 5, 20)], ErrorCode.parse, /a chunk is empty/],
    ["too large", [chunk(1, 0, 5, 101)], ErrorCode.limit, /a message of 101 bytes is over maxMessage \(100\)/],
    ["an overlap", [chunk(1, 0, 5, 20), chunk(1, 4, 9, 20)], ErrorCode.parse, /two chunks of a message overlap/],
    ["too many", [chunk(1, 0, 5, 20), chunk(2, 0, 5, 20), chunk(3, 0, 5, 20)], ErrorCode.limit, /more than maxPartial \(2\) messages/],
    ["too much", [chunk(1, 0, 60, 100), chunk(2, 0, 41, 100)], ErrorCode.limit, /more than maxMessage \(100 bytes\)/],
  ])("%s", (_, frames, code, words) => {
    const assembler = new Assembler(limits);
    const last = frames.pop() as Uint8Array;
    for (const frame of frames) expect(assembler.add(frame)).toBeUndefined();
    expect(() => assembler.add(last)).toThrow(expect.objectContaining({ code, message: expect.stringMatching(words) as string }) as Error);
  });
});

describe("takes, to the byte,", () => {
  test("a message of maxMessage bytes, whole and in chunks", () => {
    const assembler = new Assembler(limits);
    expect([...(assembler.add(chunk(1, 0, 100, 100)) ?? [])]).toEqual(numbered(100));
    expect(assembler.add(chunk(1, 50, 100, 100))).toBeUndefined();
    expect([...(assembler.add(chunk(1, 0, 50, 100)) ?? [])]).toEqual(numbered(100));
  });

  test("maxMessage bytes of several messages, again and again", () => {
    const assembler = new Assembler(limits);
    for (let round = 0; round < 3; round++) {
      expect(assembler.add(chunk(1, 0, 60, 61))).toBeUndefined();
      expect(assembler.add(chunk(2, 0, 39, 40))).toBeUndefined();
      expect([...(assembler.add(chunk(1, 60, 61, 61)) ?? [])]).toEqual(numbered(61));
      expect([...(assembler.add(chunk(2, 39, 40, 40)) ?? [])]).toEqual(numbered(40));
    }
  });

  test("a message in pieces of all sizes around those of its blocks, in order and not", () => {
    const sizes = [1, 4095, 4096, 1, 4097, 5, 60_000, 1, 3000, 3000, 4095, 4095, 70_000, 2, 4096];
    const total = sizes.reduce((sum, size) => sum + size, 0) * 2;
    const ends = [...sizes, ...sizes].reduce<number[]>((all, size) => [...all, (all.at(-1) ?? 0) + size], []);
    const frames = ends.map((end, at) => chunk(1, ends[at - 1] ?? 0, end, total));
    for (const order of [frames, [...frames].reverse(), [...frames.filter((_, at) => at % 3), ...frames.filter((_, at) => at % 3 === 0)]]) {
      const assembler = new Assembler({ maxMessage: total, maxPartial: 1 });
      const joined = order.map((frame) => assembler.add(frame)).at(-1) as Uint8Array;
      expect(Buffer.compare(joined, Uint8Array.from(numbered(total)))).toBe(0);
    }
  });
});

test("takes so many small chunks apart, in all messages and connections together, and any number that follow each other", () => {
  const most = { maxMessage: 2 ** 20, maxPartial: 4 };
  const single = (id: number, offset: number): Uint8Array => chunk(id, offset, offset + 1, 2 ** 18);
  const before = new Assembler(most);
  for (let offset = 1000; offset >= 0; offset--) before.add(single(1, offset));
  const assembler = new Assembler(most);
  assembler.goOn(before.beginnings);
  const last = 2 * (MAX_SMALL_CHUNKS - 1001 - 1);
  for (let offset = 0; offset <= last; offset += 2) assembler.add(single(2, offset));
  assembler.add(single(2, last + 1)); // follows
  expect(() => assembler.add(single(3, 5))).toThrow(`more than ${MAX_SMALL_CHUNKS} small chunks`);
  expect(() => assembler.add(single(1, 1000))).toThrow("overlap"); // 1 is given up
  for (let n = 0; n < 1001; n++) assembler.add(single(2, last + 3 + 2 * n));
  expect(() => assembler.add(single(2, 2 ** 17 + 5000))).toThrow("small chunks");
  assembler.add(single(4, 5));
});

describe("of a message that is given up", () => {
  test("tells the beginning, once", () => {
    const assembler = new Assembler(limits);
    assembler.add(chunk(1, 0, 10, 90));
    assembler.add(chunk(1, 20, 30, 90));
    assembler.add(chunk(1, 10, 20, 90));
    expect(assembler.takeRefused()).toBeUndefined();
    expect(() => assembler.add(chunk(1, 25, 35, 90))).toThrow("overlap");
    const refused = assembler.takeRefused();
    expect(refused).toMatchObject({ error: { code: ErrorCode.parse } });
    expect([...(refused?.begin ?? [])]).toEqual(numbered(20));
    expect(assembler.takeRefused()).toBeUndefined();
  });

  test.each([[[5000]], [[4000, 5000]], [[4096, 5000]]])("tells 4,096 bytes of it where it came in pieces up to %j", (ends) => {
    const assembler = new Assembler({ maxMessage: 10_000, maxPartial: 2 });
    for (const [at, end] of ends.entries()) assembler.add(chunk(1, ends[at - 1] ?? 0, end, 9000));
    expect(() => assembler.add(chunk(1, 0, 1, 9000))).toThrow("overlap");
    expect([...(assembler.takeRefused()?.begin ?? [])]).toEqual(numbered(4096));
  });

  test("tells the beginning when that comes last, and skips the rest to the byte", () => {
    const assembler = new Assembler(limits);
    expect(() => assembler.add(chunk(1, 50, 80, 120))).toThrow("over maxMessage");
    expect(assembler.takeRefused()).toBeUndefined();
    expect(assembler.add(chunk(1, 80, 120, 120))).toBeUndefined();
    expect(assembler.takeRefused()).toBeUndefined();
    expect(assembler.add(chunk(1, 0, 49, 120))).toBeUndefined();
    expect(assembler.takeRefused()).toMatchObject({ error: { code: ErrorCode.limit }, begin: chunk(1, 0, 49, 120).subarray(12) });
    expect(assembler.add(chunk(1, 0, 0, 120))).toBeUndefined(); // told once
    expect(assembler.takeRefused()).toBeUndefined();
    expect(assembler.add(chunk(1, 49, 50, 120))).toBeUndefined();
    expect([...(assembler.add(chunk(1, 0, 9, 9)) ?? [])]).toEqual(numbered(9)); // the number is free
  });

  test("skips nothing where nothing is left, and what had arrived is not to come", () => {
    const assembler = new Assembler(limits);
    expect(() => assembler.add(chunk(1, 0, 120, 120))).toThrow("over maxMessage");
    expect([...(assembler.add(chunk(1, 0, 9, 9)) ?? [])]).toEqual(numbered(9));
    assembler.add(chunk(1, 0, 40, 60));
    expect(() => assembler.add(chunk(1, 30, 50, 60))).toThrow("overlap"); // 60 of 60 bytes have come
    expect([...(assembler.add(chunk(1, 0, 9, 9)) ?? [])]).toEqual(numbered(9));
  });

  test("is no end of one, to a server that may not end them (CAN-3)", () => {
    const assembler = new Assembler(limits);
    assembler.add(chunk(1, 0, 40, 60));
    expect(() => assembler.add(chunk(1, 60, 60, 60))).toThrow("a chunk is empty");
  });
});

describe("what a connection before had of a message (RES-13)", () => {
  function before(...frames: Uint8Array[]): Assembler {
    const assembler = new Assembler(limits);
    for (const frame of frames) assembler.add(frame);
    const next = new Assembler(limits);
    next.goOn(assembler.beginnings);
    return next;
  }

  test("counts among what is under way, until it is whole", () => {
    const assembler = before(chunk(1, 0, 60, 61));
    expect(() => assembler.add(chunk(2, 0, 41, 100))).toThrow("more than maxMessage");
    expect(assembler.add(chunk(3, 0, 39, 100))).toBeUndefined();
    expect(() => assembler.add(chunk(4, 0, 2, 100))).toThrow("more than max");
    expect(assembler.add(chunk(1, 60, 61, 61))).toHaveLength(61);
    expect(assembler.add(chunk(5, 0, 61, 100))).toBeUndefined();
  });

  test("begins anew only with its first chunk", () => {
    const anew = before(chunk(1, 0, 30, 60));
    expect(anew.add(chunk(1, 0, 20, 60))).toBeUndefined();
    expect(anew.add(chunk(1, 20, 60, 60))).toHaveLength(60);
    const on = before(chunk(1, 0, 30, 60));
    expect(on.add(chunk(1, 40, 60, 60))).toBeUndefined();
    expect(() => on.add(chunk(1, 0, 10, 60))).toThrow("overlap");
  });

  test("is of no use without a number, without its start, or with gaps", () => {
    const assembler = new Assembler({ maxMessage: 1000, maxPartial: 9 });
    for (const [id, offset] of [[0, 0], [1, 0], [2, 5], [3, 0], [3, 20]] as const) assembler.add(chunk(id, offset, offset + 10, 60));
    expect([...assembler.beginnings.keys()]).toEqual([1]);
  });
});
