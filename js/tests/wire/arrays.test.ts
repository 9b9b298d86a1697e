import { describe, expect, test } from "vitest";
import { ProtocolError, UsageError } from "../../src/errors.js";
import { Decoder } from "../../src/wire/decoder.js";
import { HEADER_LENGTH } from "../../src/wire/limits.js";
import { NDArray } from "../../src/wire/ndarray.js";
import { encodeWith } from "../support/encoded.js";
import { type ArrayNotation, hex, readVectors, toArray, unhex } from "../support/vectors.js";

interface Case {
  readonly name: string;
  readonly array: ArrayNotation;
  readonly offset: number;
  readonly payload: string;
}

const vectors = readVectors<{ cases: Case[]; decode: Case[]; malformed: Case[] }>("arrays");

function encode(value: unknown, arrays = true): Uint8Array {
  return encodeWith({ arrays }, value).subarray(HEADER_LENGTH);
}

/** A message that is an extension of type 1 and nothing else. */
function extension(payload: Uint8Array): Uint8Array {
  const message = new Uint8Array(6 + payload.length);
  const view = new DataView(message.buffer);
  view.setUint8(0, 0xc9);
  view.setUint32(1, payload.length);
  view.setUint8(5, 1);
  message.set(payload, 6);
  return message;
}

const SMALL = 1024;

describe("vectors", () => {
  test.each(vectors.cases)("encodes $name", ({ array, offset, payload }) => {
    // Before the payload: the list's byte, bytes that fill up, and the extension's header.
    const header = array.data.length / 2 >= SMALL ? 6 : [2, 4, 8, 16, 32].includes(payload.length) ? 2 : 3;
    const filler = new Uint8Array(offset - 1 - 2 - header);
    const message = array.data.length / 2 === SMALL - 1 ? encode(toArray(array)) : encode([filler, toArray(array)]);
    expect(hex(message).endsWith(payload)).toBe(true);
  });

  test.each([...vectors.cases, ...vectors.decode])("decodes $name", ({ array, payload }) => {
    expect(new Decoder().decode(extension(unhex(payload)))).toEqual(toArray(array));
  });

  test.each(vectors.malformed)("refuses $name", ({ payload }) => {
    const decoding = () => new Decoder().decode(extension(unhex(payload)));
    expect(decoding).toThrow(ProtocolError);
    expect(decoding).not.toThrow("decoded: undefined"); // it says why
  });
});

describe("an array that is received", () => {
  const sent = new NDArray(new Float64Array(512).fill(1.5), [8, 64]);

  test("is a view of its message where it is aligned, as it is in a frame", () => {
    const bytes = encodeWith({ arrays: true }, { some: "text", sent });
    const { sent: received } = new Decoder().decode(bytes.subarray(HEADER_LENGTH)) as { sent: NDArray };
    expect(received).toEqual(sent);
    expect(received.data.buffer).toBe(bytes.buffer);
  });

  test("is a copy where it is not aligned", () => {
    const message = encode({ sent });
    const shifted = new Uint8Array(message.length + 1);
    shifted.set(message, 1);
    const { sent: received } = new Decoder().decode(shifted.subarray(1)) as { sent: NDArray };
    expect(received).toEqual(sent);
    expect(received.data.buffer).not.toBe(shifted.buffer);
  });
});

describe("an array that is sent", () => {
  test.each([
    [new Int8Array([1, -2]), "|i1"],
    [new Int16Array([1, -2]), "<i2"],
    [new Uint16Array([1, 2]), "<u2"],
    [new Int32Array([1, -2]), "<i4"],
    [new Uint32Array([1, 2]), "<u4"],
    [new Float32Array([1, -2]), "<f4"],
    [new Float64Array([1, -2]), "<f8"],
    [new BigInt64Array([1n, -2n]), "<i8"],
    [new BigUint64Array([1n, 2n]), "<u8"],
  ])("may be a plain %o: one dimension of %s", (data, dtype) => {
    expect(new Decoder().decode(encode(data))).toEqual(new NDArray(data as Float32Array, [2], dtype as "<f4"));
  });

  test.each([new Uint8Array([1, 2]), new Uint8ClampedArray([1, 2]), new DataView(new Uint8Array([1, 2]).buffer), new Uint8Array([1, 2]).buffer])(
    "is bytes where it is %o",
    (data) => {
      expect(new Decoder().decode(encode(data))).toEqual(new Uint8Array([1, 2]));
    },
  );

  test("is its bytes where arrays are not negotiated (ARR-1)", () => {
    const data = new Float32Array([1, 2]);
    expect(new Decoder().decode(encode([data, new NDArray(data)], false))).toEqual([new Uint8Array(data.buffer), new Uint8Array(data.buffer)]);
  });

  test("sends only the part that a view shows", () => {
    const part = new Float32Array([1, 2, 3, 4]).subarray(1, 3);
    expect(new Decoder().decode(encode(part))).toEqual(new NDArray(new Float32Array([2, 3])));
  });
});

describe("NDArray", () => {
  test("finds out its dtype and shape", () => {
    expect(new NDArray(new Float32Array(6))).toMatchObject({ dtype: "<f4", shape: [6] });
    expect(new NDArray(new Uint8Array(6), [2, 3])).toMatchObject({ dtype: "|u1", shape: [2, 3] });
    expect(new NDArray(new Float32Array(6), undefined, "<c8")).toMatchObject({ shape: [3] });
  });

  test.each([
    ["a shape that does not fit", () => new NDArray(new Float32Array(6), [2, 2])],
    ["half a complex number", () => new NDArray(new Float32Array(3), undefined, "<c8")],
    ["the wrong typed array", () => new NDArray(new Float32Array(3) as never, [3], "<i4")],
    ["an unknown dtype", () => new NDArray(new Float32Array(3), [3], "<x4" as "<f4")],
    ["what is no typed array", () => new NDArray([1, 2] as never)],
    ["33 dimensions", () => new NDArray(new Uint8Array(1), new Array<number>(33).fill(1))],
    ["a negative dimension", () => new NDArray(new Uint8Array(4), [-2, -2])],
  ])("refuses %s", (_, make) => {
    expect(make).toThrow(UsageError);
  });
});

test.each<unknown>([6, "6", {}, ["6"], [6n], [null], [6.5], [-6], [NaN], [[6]], [2 ** 32], Array(33).fill(1)])("a shape is refused by a UsageError: %o", (shape) => {
  expect(() => new NDArray(new Float32Array(6), shape as number[])).toThrow(UsageError);
});

test("a shape may be a typed array", () => {
  const array = new NDArray(new Float32Array(6), new Uint32Array([2, 3]) as unknown as number[]);
  expect(encode(array)).toEqual(encode(new NDArray(new Float32Array(6), [2, 3])));
});

test("memory that is shared, or can grow, is copied when it is sent", () => {
  const shared = new Float64Array(new SharedArrayBuffer(2 ** 21)).fill(1.5);
  const sent = encode(shared);
  shared.fill(0);
  expect((new Decoder().decode(sent) as NDArray).data[7]).toBe(1.5);
  const Buffer = ArrayBuffer as unknown as new (size: number, options: { maxByteLength: number }) => ArrayBuffer & { resize(size: number): void };
  const growing = new Buffer(8, { maxByteLength: 64 });
  const view = new Int16Array(growing);
  growing.resize(16);
  expect((new Decoder().decode(encode(view)) as NDArray).shape).toEqual([8]);
  expect(encode([new Uint8ClampedArray([1, 300]), new DataView(new ArrayBuffer(2), 1)], true)).toEqual(encode([new Uint8Array([1, 255]), new Uint8Array(1)], true));
});
