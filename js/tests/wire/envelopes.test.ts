// What is read of a message from the server, and what an error says of one that is none.
import { encode } from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import { ErrorCode, UsageError } from "../../src/errors.js";
import { Decoder } from "../../src/wire/decoder.js";
import { withDefaults } from "../../src/wire/limits.js";
import { readMessage } from "../../src/wire/messages.js";
import { NDArray, isShape } from "../../src/wire/ndarray.js";
import { paddingAt, readArray } from "../../src/wire/extensions.js";

const id = "rpc:c0:1";

function read(value: unknown): unknown {
  return readMessage(new Decoder(), encode(value));
}

describe("a message that is none says why", () => {
  test.each<[unknown, string | undefined, RegExp]>([
    [7, undefined, /it is not a map/],
    [null, undefined, /it is not a map/],
    [["text"], undefined, /it is not a map/],
    [[], undefined, /it is not a map/],
    [{ result: 1 }, undefined, /id is not "<kind>:<name>:<number>"/],
    [{ id: "rpc:1" }, undefined, /id is not "<kind>:<name>:<number>"/],
    [{ id }, id, /it has neither result nor error/],
    [{ id, error: null }, id, /error is not a map/],
    [{ id, error: [1] }, id, /error is not a map/],
    [{ id, error: { code: 1 } }, id, /error has no code and message/],
    [{ id, error: { code: 1.5, message: "x" } }, id, /error has no code and message/],
    [{ id, error: { code: "1", message: "x" } }, id, /error has no code and message/],
    [{ id, method: 7 }, id, /it is not a call/],
    [{ id, method: "a.b", args: {} }, id, /it is not a call/],
    [{ id, method: "a.b", kwargs: [] }, id, /it is not a call/],
    [{ id, method: "a.b", kwargs: null }, id, /it is not a call/],
    [{ id: "publish:a.b:1", result: 1, subscriptions: {} }, "publish:a.b:1", /subscriptions is not a list of integers/],
    [{ id: "publish:a.b:1", result: 1, subscriptions: [1, 1.5] }, "publish:a.b:1", /subscriptions is not a list of integers/],
  ])("%j", (value, known, words) => {
    expect(read(value)).toMatchObject({ kind: "unreadable", id: known, error: { code: ErrorCode.invalidRequest, message: expect.stringMatching(words) as string } });
  });
});

test.each<[unknown, object]>([
  [{ id, result: null }, { kind: "response", id, result: null }],
  [{ id, error: { code: 3, message: "m", data: [1] } }, { kind: "error", id, code: 3, message: "m", data: [1] }],
  [{ id, error: { code: -3, message: "" } }, { kind: "error", id, code: -3, message: "", data: undefined }],
  [{ id: "system:x:1", result: 5 }, { kind: "response", id: "system:x:1", result: 5 }],
  [{ id: "publish:a.b:7", result: 5, traceparent: 8 }, { kind: "publication", topic: "a.b", number: 7, payload: 5, subscriptions: undefined, traceparent: 8 }],
  [{ id: "publish:a.b:7", result: 5, subscriptions: [] }, { kind: "publication", topic: "a.b", number: 7, payload: 5, subscriptions: [], traceparent: undefined }],
  [{ id, method: "m", result: 1 }, { kind: "call", id, method: "m", args: [], kwargs: {}, progress: false, traceparent: undefined }],
  [{ id, method: "m", args: [1], kwargs: { a: 2 }, progress: true, traceparent: "t" }, { kind: "call", id, method: "m", args: [1], kwargs: { a: 2 }, progress: true, traceparent: "t" }],
  [{ id, method: "m", progress: 1 }, { kind: "call", id, method: "m", args: [], kwargs: {}, progress: false, traceparent: undefined }],
  [[9, "x"], { kind: "extension", type: 9, items: [9, "x"] }],
])("reads %j", (value, message) => {
  expect(read(value)).toEqual(message);
});

describe("the id of a message that cannot be decoded", () => {
  test("is known where it came before the mistake", () => {
    const bytes = encode({ id, result: "x" });
    bytes[bytes.length - 2] = 0xc1;
    expect(readMessage(new Decoder(), bytes)).toMatchObject({ kind: "unreadable", id });
  });

  test("is not that of another message", () => {
    const decoder = new Decoder();
    readMessage(decoder, encode({ id, result: 1 }));
    expect(decoder.outermost).toBeUndefined();
    expect(readMessage(decoder, encode(null))).toMatchObject({ kind: "unreadable", id: undefined });
    readMessage(decoder, encode({ id, result: 1 }).subarray(0, -1));
    expect(decoder.outermost).toEqual({ id });
    expect(readMessage(decoder, new Uint8Array([0x91, 0xc1]))).toMatchObject({ kind: "unreadable", id: undefined });
    expect(readMessage(decoder, encode([{ id }, 1]).subarray(0, -1))).toMatchObject({ kind: "unreadable", id: undefined });
  });
});

describe("limits", () => {
  test("have the defaults of docs/protocol/limits.md", () => {
    expect(withDefaults({})).toEqual({ maxMessage: 1040 * 2 ** 20, maxPartial: 64, maxResume: 2 ** 26, maxClientCalls: 64 });
    expect(withDefaults({ maxMessage: 1, maxPartial: 2, maxResume: 3, maxClientCalls: 4 })).toEqual({ maxMessage: 1, maxPartial: 2, maxResume: 3, maxClientCalls: 4 });
  });

  test.each(["maxMessage", "maxPartial", "maxResume", "maxClientCalls"])("%s is a number from 1 on", (name) => {
    expect(() => withDefaults({ [name]: 0.5 })).toThrow(new UsageError(`${name} must be a number from 1 on, not 0.5`));
  });
});

describe("arrays", () => {
  test.each<[string, () => unknown, string]>([
    ["elements that are no such", () => new NDArray(new Float32Array(3) as never, [3], "<i4"), "Float32Array does not hold elements of type <i4"],
    ["half precision alone may be in unsigned integers", () => new NDArray(new Uint16Array(2) as never, [2], "<f4"), "Uint16Array does not hold elements of type <f4"],
    ["no typed array", () => new NDArray([1] as never), "object does not hold elements of type undefined"],
    ["another size", () => new NDArray(new Float32Array(6), [2, 2]), "6 entries do not fill the shape [2, 2] of <f4"],
  ])("name %s", (_, make, words) => {
    expect(make).toThrow(new UsageError(words));
  });

  test("have up to 32 dimensions of up to 2^32 - 1", () => {
    expect(isShape(new Array<number>(32).fill(1))).toBe(true);
    expect(isShape(new Array<number>(33).fill(1))).toBe(false);
    expect([0, 2 ** 32 - 1, 2 ** 32, -1, 1.5, "1", null].map((size) => isShape([1, size]))).toEqual([true, true, false, false, false, false, false]);
  });

  test("half precision is told apart from unsigned integers by its type alone", () => {
    const data = new Uint16Array([0x3c00]);
    expect(new NDArray(data).dtype).toBe("<u2");
    expect(new NDArray(data, [1], "<f2")).toMatchObject({ dtype: "<f2", shape: [1] });
    expect(new NDArray(new Float64Array(4), undefined, "<c16").shape).toEqual([2]);
    expect(new NDArray(new Uint8Array(2), undefined, "|b1").dtype).toBe("|b1");
  });

  test("begin at 4 modulo 16", () => {
    expect([0, 3, 4, 5, 16, 20].map((offset) => (offset + paddingAt(offset)) % 16)).toEqual([4, 4, 4, 4, 4, 4]);
    expect([3, 4, 5].map(paddingAt)).toEqual([1, 0, 15]);
  });

  test.each([
    [0, undefined],
    [15, undefined],
    [16, "its shape does not fit its bytes"],
    [-1, "its shape does not fit its bytes"],
  ])("with %i bytes of padding", (padding, words) => {
    const reading = (): unknown => readArray(new Uint8Array(5 + padding + 4), ["<i2", 2], 5);
    if (words) expect(reading).toThrow(words);
    else expect(reading()).toMatchObject({ shape: [2], data: new Int16Array(2) });
  });

  test.each<[unknown, string]>([
    [["<i2", -1], "its shape is not a list of at most 32 sizes"],
    [["<i2", ...new Array<number>(33).fill(1)], "its shape is not a list of at most 32 sizes"],
    [7, "its element type is undefined"],
  ])("with the head %j are malformed", (head, words) => {
    expect(() => readArray(new Uint8Array(8), head, 4)).toThrow(`an array is malformed: ${words}`);
  });
});
