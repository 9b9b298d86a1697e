// The narrowest form for each value, at the edges between two of them: as @msgpack/msgpack writes it, and as it reads it.
import { decode as peerDecode, encode as peerEncode } from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import { ProtocolError, UsageError } from "../../src/errors.js";
import { Decoder } from "../../src/wire/decoder.js";
import { Encoder } from "../../src/wire/encoder.js";
import { HEADER_LENGTH, MAX_DEPTH } from "../../src/wire/limits.js";
import { encodeWith, joined } from "../support/encoded.js";
import { hex } from "../support/vectors.js";

function ours(value: unknown): Uint8Array {
  return encodeWith({ arrays: true }, value).subarray(HEADER_LENGTH);
}

const around = (edges: readonly number[]): number[] => edges.flatMap((edge) => [edge - 1, edge, edge + 1]);
const integers = [...around([-(2 ** 31), -(2 ** 15), -128, -32, 0, 128, 256, 2 ** 16, 2 ** 32]), Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];

test.each(integers)("the integer %i", (value) => {
  expect(hex(ours(value))).toBe(hex(peerEncode(value, { useBigInt64: false })));
  expect(hex(ours(BigInt(value)))).toBe(hex(ours(value)));
  expect(new Decoder().decode(peerEncode(value))).toBe(value);
});

test.each([2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, -(2n ** 53n), -(2n ** 53n) - 1n, -(2n ** 63n)])("the integer %i of 64 bits", (value) => {
  const bytes = ours(value);
  expect([bytes.length, bytes[0]]).toEqual([9, value < 0n ? 0xd3 : 0xcf]);
  expect(peerDecode(bytes, { useBigInt64: true })).toBe(value);
  const safe = Number.isSafeInteger(Number(value));
  expect(new Decoder().decode(bytes)).toBe(safe ? Number(value) : value);
  expect(Object.assign(new Decoder(), { rounds: true }).decode(bytes)).toBe(Number(value));
});

test.each([2n ** 64n, -(2n ** 63n) - 1n])("%i does not fit, and is named", (value) => {
  expect(() => ours([value])).toThrow(new UsageError(`[0]: ${value} does not fit 64 bits`));
});

test.each(around([32, 48, 256, 2 ** 16]).flatMap((length) => ["x".repeat(length), `${"x".repeat(length - 1)}\u007f`, `${"x".repeat(length - 2)}é`]))("a text, case %#", (text) => {
  const bytes = ours(text);
  expect(hex(bytes)).toBe(hex(peerEncode(text)));
  expect(new Decoder().decode(bytes)).toBe(text);
});

test.each([23, 24, 25])("a text of %i bytes with what is no ASCII at its end", (length) => {
  const text = `${"x".repeat(length - 2)}\u0080`;
  expect(new Decoder().decode(peerEncode([text, "behind"]))).toEqual([text, "behind"]);
});

test.each(around([16, 256]))("%i bytes, entries and keys", (length) => {
  const list = Array.from({ length }, (_, n) => n % 100);
  const map = Object.fromEntries(list.map((_, n) => [`k${n}`, n % 100]));
  for (const value of [new Uint8Array(length).fill(7), list, map]) {
    const bytes = ours(value);
    expect(hex(bytes)).toBe(hex(peerEncode(value)));
    expect(new Decoder().decode(bytes)).toEqual(value);
  }
});

test.each([2 ** 16 - 1, 2 ** 16])("%i bytes and entries", (length) => {
  for (const value of [new Uint8Array(length), new Array<null>(length).fill(null)]) {
    const bytes = ours(value);
    expect(Buffer.compare(bytes, peerEncode(value))).toBe(0);
    expect(Buffer.compare(ours(new Decoder().decode(bytes)), bytes)).toBe(0);
  }
});

test.each<[string, number[], unknown]>([
  ["8 bits", [0xcc, 5], 5],
  ["16 bits", [0xcd, 0, 5], 5],
  ["32 bits", [0xce, 0, 0, 0, 5], 5],
  ["64 bits", [0xcf, 0, 0, 0, 0, 0, 0, 0, 5], 5],
  ["8 bits and a sign", [0xd0, 0xfb], -5],
  ["16 bits and a sign", [0xd1, 0xff, 0xfb], -5],
  ["32 bits and a sign", [0xd2, 0xff, 0xff, 0xff, 0xfb], -5],
  ["64 bits and a sign", [0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfb], -5],
  ["a float of 32 bits", [0xca, 0x3f, 0x80, 0, 0], 1],
  ["text in 8 bits", [0xd9, 1, 0x61], "a"],
  ["text in 16 bits", [0xda, 0, 1, 0x61], "a"],
  ["text in 32 bits", [0xdb, 0, 0, 0, 1, 0x61], "a"],
  ["bytes in 16 bits", [0xc5, 0, 1, 7], new Uint8Array([7])],
  ["bytes in 32 bits", [0xc6, 0, 0, 0, 1, 7], new Uint8Array([7])],
  ["entries in 16 bits", [0xdc, 0, 1, 7], [7]],
  ["entries in 32 bits", [0xdd, 0, 0, 0, 1, 7], [7]],
  ["keys in 16 bits", [0xde, 0, 1, 0xa1, 0x61, 7], { a: 7 }],
  ["keys in 32 bits", [0xdf, 0, 0, 0, 1, 0xa1, 0x61, 7], { a: 7 }],
  ["a timestamp in 8 bits", [0xc7, 4, 0xff, 0, 0, 0, 1], new Date(1000)],
  ["a timestamp in 16 bits", [0xc8, 0, 4, 0xff, 0, 0, 0, 1], new Date(1000)],
  ["a timestamp in 32 bits", [0xc9, 0, 0, 0, 4, 0xff, 0, 0, 0, 1], new Date(1000)],
])("%s, which is more than it needs", (_, bytes, value) => {
  expect(new Decoder().decode(new Uint8Array([0x92, ...bytes, 9]))).toEqual([value, 9]);
});

test.each([
  ["1970, in seconds", 0],
  ["a millisecond later", 1],
  ["a millisecond before", -1],
  ["a second before", -1000],
  ["the last second of 32 bits", (2 ** 32 - 1) * 1000],
  ["the first of 33 bits", 2 ** 32 * 1000],
  ["a fraction of a second of 33 bits", 2 ** 32 * 1000 + 999],
  ["the last second of 34 bits", (2 ** 34 - 1) * 1000],
  ["the first of 35 bits", 2 ** 34 * 1000],
  ["the year 1", -62_135_596_800_000],
  ["the end of the year 9999", 253_402_300_799_999],
])("a date: %s", (_, milliseconds) => {
  const date = new Date(milliseconds);
  expect(hex(ours(date))).toBe(hex(peerEncode(date)));
  expect(new Decoder().decode(peerEncode([date, 1]))).toEqual([date, 1]);
});

test.each([-62_135_596_800_001, 253_402_300_800_000])("a date of %i ms is sent by what is taken for a released client alone", (milliseconds) => {
  const date = new Date(milliseconds);
  expect(() => ours([date])).toThrow("[0]: a Date outside the years 1 to 9999 cannot be sent");
  expect(new Decoder().decode(encodeWith({ asReleased: true }, date).subarray(HEADER_LENGTH))).toEqual(date);
});

test("what is taken for a released client sends undefined, large integers and objects of classes as those do", () => {
  const value = { none: undefined, large: 2 ** 60, event: new (class Click { x = 1; toJSON = undefined; })(), set: new Set([1]) }; // prettier-ignore
  const bytes = encodeWith({ asReleased: true }, value).subarray(HEADER_LENGTH);
  expect(peerDecode(bytes)).toEqual({ none: null, large: 2 ** 60, event: { x: 1, toJSON: null }, set: {} });
  expect(bytes.includes(0xcb)).toBe(true); // a float
});

test("a Map's keys are text to a released server, and what they are to another", () => {
  const map = new Map<unknown, unknown>([[1, "a"], [null, "b"], [true, "c"], [2n ** 60n, "d"]]); // prettier-ignore
  expect(hex(encodeWith({ arrays: false }, map))).toBe(hex(encodeWith({}, { 1: "a", null: "b", true: "c", [String(2n ** 60n)]: "d" })));
  expect(ours(map)[1]).toBe(1);
});

test("shared memory and parts of views are bytes", () => {
  const shared = new SharedArrayBuffer(4);
  new Uint8Array(shared).set([1, 2, 3, 4]);
  const view = new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2);
  expect(peerDecode(ours([shared, view]))).toEqual([new Uint8Array([1, 2, 3, 4]), new Uint8Array([2, 3])]);
});

describe("nesting", () => {
  const nested = (depth: number): unknown => {
    let value: unknown = 1;
    for (let level = 0; level < depth; level++) value = level % 2 ? { a: value } : [value];
    return value;
  };

  test("of as many levels as may be", () => {
    expect(new Decoder().decode(ours(nested(MAX_DEPTH)))).toEqual(nested(MAX_DEPTH));
  });

  test("of one more is refused in both directions", () => {
    expect(() => ours(nested(MAX_DEPTH + 1))).toThrow("values nest deeper than 512 levels, or contain themselves");
    expect(() => new Decoder().decode(peerEncode(nested(MAX_DEPTH + 1), { maxDepth: 600 }))).toThrow("it nests deeper than 512 levels");
  });

  test.each([
    ["x".repeat(199), `${"x".repeat(199)}: a function`], // behind a point, which counts
    ["x".repeat(200), `${"x".repeat(199)}...: a function`],
  ])("names the first 200 characters of the place, case %#", (name, words) => {
    expect(() => ours({ [name]: () => 1 })).toThrow(new RegExp(`^${words}`));
  });
});

describe("parts", () => {
  const MIB = 2 ** 20;

  test("bytes of 1 MiB are a part of their own, copied once; smaller ones are not", () => {
    const bytes = new Uint8Array(MIB).fill(1);
    const { parts, size } = new Encoder().encode([bytes.subarray(1), bytes, "end"]);
    expect(parts.map((part) => (part as Uint8Array).length)).toEqual([HEADER_LENGTH + 1 + 5 + MIB - 1 + 5, MIB, 4]);
    expect(size).toBe(parts.reduce((sum, part) => sum + (part as Uint8Array).length, -HEADER_LENGTH));
    bytes.fill(9);
    expect((parts[1] as Uint8Array).every((byte) => byte === 1)).toBe(true);
  });

  test("a part at the very end is followed by none", () => {
    const { parts, size } = new Encoder().encode(new Uint8Array(MIB));
    expect(parts.map((part) => (part as Uint8Array).length)).toEqual([HEADER_LENGTH + 5, MIB]);
    expect(size).toBe(MIB + 5);
  });

  test("what follows a Blob counts from there", () => {
    const { parts, size } = new Encoder().encode([new Blob(["four"]), new Blob(["five5"]), 7]);
    expect(parts.map((part) => (part instanceof Blob ? part.size : hex(part.subarray(part.length - 2))))).toEqual(["c404", 4, "c405", 5, "07"]);
    expect(size).toBe(1 + 2 + 4 + 2 + 5 + 1);
  });

  test("one message does not change another", () => {
    const encoder = new Encoder();
    const values = [70_000, 10, 70_000, 3000, 5].map((length, n) => new Uint8Array(length).fill(n));
    const messages = values.map((value) => encoder.encode(value));
    const received = messages.map((message) => new Decoder().decode(joined(message).subarray(HEADER_LENGTH)) as Uint8Array);
    expect(received.map((bytes, n) => Buffer.compare(bytes, values[n] as Uint8Array))).toEqual([0, 0, 0, 0, 0]);
  });

  test("and neither does one that could not be sent", () => {
    const encoder = new Encoder();
    expect(() => encoder.encode([new Blob(["x"]), new Uint8Array(MIB), () => 1])).toThrow("[2]: a function cannot be sent");
    const { parts, size } = encoder.encode("next");
    expect([parts.length, size]).toEqual([1, 5]);
  });

  test.each([4094, 4095, 4096, 4097])("the buffer grows where %i bytes and more do not fit", (length) => {
    const value = [new Uint8Array(length - 12).fill(3), "x".repeat(40), 1.5, new Date(1), new Uint8Array(length * 3).fill(4)];
    expect(hex(ours(new Decoder().decode(ours(value))))).toBe(hex(ours(value)));
  });

  test("a __proto__ is a key like any other, which may be changed and taken away", () => {
    const map = new Decoder().decode(new Uint8Array([0x81, 0xa9, ...Buffer.from("__proto__"), 7])) as object;
    expect(Object.getOwnPropertyDescriptor(map, "__proto__")).toEqual({ value: 7, writable: true, enumerable: true, configurable: true });
  });

  test("the place of what cannot be sent is whole", () => {
    expect(() => ours([{ a: [() => 1] }])).toThrow(new UsageError("[0].a[0]: a function cannot be sent"));
  });

  test("more than can be counted is refused", () => {
    const blob = Object.defineProperty(new Blob([]), "size", { value: 2 ** 32 });
    expect(() => new Encoder().encode({ file: blob })).toThrow(new UsageError("file: 4294967296 bytes or entries are more than MessagePack can count"));
  });
});

describe("says why a message cannot be read", () => {
  test.each<[string, number[], RegExp]>([
    ["a code that begins nothing", [0xc1], /0xc1 begins no value/],
    ["more than one value", [0xc0, 0xc0, 0xc0], /2 bytes follow it/],
    ["bytes that are not there", [0xc4, 5, 1], /it ends too early/],
    ["text that is not there", [0xa5, 0x61], /it ends too early/],
    ["long text that is not there", [0xd9, 40, 0x61], /it ends too early/],
    ["a list that is not there", [0xdc, 0xff, 0xff], /it ends too early/],
    ["an unknown extension", [0xd4, 0x63, 0], /extension type 99 is unknown/],
    ["a timestamp of 5 bytes", [0xc7, 5, 0xff, 0, 0, 0, 0, 0], /a timestamp holds 5 bytes/],
    ["a timestamp beyond a Date", [0xc7, 12, 0xff, 0, 0, 0, 0, 0x7f, 0, 0, 0, 0, 0, 0, 0], /a timestamp is none that a Date can hold/],
    ["a billion nanoseconds", [0xc7, 12, 0xff, 0x3b, 0x9a, 0xca, 0x00, 0, 0, 0, 0, 0, 0, 0, 1], /a timestamp is none that a Date can hold/],
    ["an element type that there is not", [0xc7, 6, 1, 4, 0x91, 0xa2, 0x3c, 0x78, 0], /its element type is <x/],
    ["a size that is none", [0xc7, 7, 1, 6, 0x92, 0xa3, 0x7c, 0x75, 0x31, 0xc0], /an array is malformed: its shape is not a list/],
  ])("%s", (_, bytes, words) => {
    expect(() => new Decoder().decode(new Uint8Array(bytes))).toThrow(ProtocolError);
    expect(() => new Decoder().decode(new Uint8Array(bytes))).toThrow(words);
  });

  test("and what stopped it", () => {
    const cause = (bytes: number[]): unknown => {
      try {
        return new Decoder().decode(new Uint8Array(bytes));
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
        return (error as Error).cause;
      }
    };
    expect(cause([0xcd, 1])).toBeInstanceOf(RangeError);
    expect(cause([0xa1, 0xff])).toBeInstanceOf(TypeError);
  });

  test("999,999,999 nanoseconds are a timestamp", () => {
    expect(new Decoder().decode(new Uint8Array([0xc7, 12, 0xff, 0x3b, 0x9a, 0xc9, 0xff, 0, 0, 0, 0, 0, 0, 0, 1]))).toEqual(new Date(1999));
  });
});
