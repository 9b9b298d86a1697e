import { Decoder as PeerDecoder, Encoder as PeerEncoder } from "@msgpack/msgpack";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ProtocolError } from "../../src/errors.js";
import { SendQueue } from "../../src/session/send-queue.js";
import { Assembler } from "../../src/wire/assembler.js";
import { Decoder } from "../../src/wire/decoder.js";
import { Encoder } from "../../src/wire/encoder.js";
import { HEADER_LENGTH, withDefaults } from "../../src/wire/limits.js";
import { cut, encodeWith } from "../support/encoded.js";
import { hex, readVectors, toValue, unhex } from "../support/vectors.js";

interface Case {
  readonly name: string;
  readonly message: unknown;
  readonly packed: string;
  readonly frame_size?: number;
  readonly message_id?: number;
  readonly frames?: string[];
}

const vectors = readVectors<{ cases: Case[]; decode: Case[]; malformed: Case[] }>("second_generation");
/** The id of a message is the sender's choice (G2-4). */
const MESSAGE_ID_LENGTH = 4;

const framed = vectors.cases.filter((each) => each.frames);

function encode(value: unknown): Uint8Array {
  return encodeWith({ arrays: true }, value);
}

describe("vectors", () => {
  test.each(vectors.cases)("encodes $name", ({ message, packed }) => {
    expect(hex(encode(toValue(message)).subarray(HEADER_LENGTH))).toBe(packed);
  });

  test.each([...vectors.cases, ...vectors.decode])("decodes $name", ({ message, packed }) => {
    expect(new Decoder().decode(unhex(packed))).toEqual(toValue(message));
  });

  test.each(vectors.malformed)("refuses $name", ({ packed }) => {
    expect(() => new Decoder().decode(unhex(packed))).toThrow(ProtocolError);
  });

  test.each(framed)("cuts $name", async ({ message, frames = [], frame_size }) => {
    const sent: string[] = [];
    const queue = new SendQueue(2 ** 26);
    queue.connect({ send: (frame) => sent.push(hex(frame.subarray(MESSAGE_ID_LENGTH))) });
    queue.open();
    queue.frameSize = frame_size ?? queue.frameSize;
    await queue.post("id", Object.assign(new Encoder(), { arrays: true }).encode(toValue(message)), () => true);
    expect(sent).toEqual(frames.map((frame) => frame.slice(2 * MESSAGE_ID_LENGTH)));
  });

  test.each(framed)("joins $name", ({ packed, frames = [] }) => {
    const assembler = new Assembler(withDefaults({}));
    const outcomes = frames.map((frame) => assembler.add(unhex(frame)));
    expect(outcomes.slice(0, -1).every((outcome) => outcome === undefined)).toBe(true);
    expect(hex(outcomes.at(-1) as Uint8Array)).toBe(packed);
  });
});

const leaf = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
  fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) }),
  fc.double().filter((number) => !Number.isInteger(number) || number < 2 ** 63 || number >= 2 ** 64),
  fc.string({ unit: "binary" }),
  fc.uint8Array(),
  fc.date({ noInvalidDate: true, min: new Date("0001-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59.999Z") }),
);
const value = fc.letrec((tie) => ({
  any: fc.oneof(leaf, fc.array(tie("any")), fc.dictionary(fc.string(), tie("any"), { noNullPrototype: true })),
})).any;

/** What @msgpack/msgpack can carry: it has either no BigInts or no large integers, and refuses one key. As released clients do, it sends the latter as floats. */
const plain = fc.jsonValue().filter((message) => !JSON.stringify(message).includes("__proto__"));

describe("any message", () => {
  test("survives encode, chunk, shuffle and decode", () => {
    fc.assert(
      fc.property(value, fc.integer({ min: HEADER_LENGTH + 1, max: 200 }), fc.infiniteStream(fc.nat()), (message, frameSize, order) => {
        const assembler = new Assembler(withDefaults({}));
        const frames = cut(encode(message), 7, frameSize).map((frame) => ({ frame, rank: order.next().value as number }));
        const joined = frames.sort((a, b) => a.rank - b.rank).map(({ frame }) => assembler.add(frame));
        expect(new Decoder().decode(joined.at(-1) as Uint8Array)).toEqual(asReceived(message));
      }),
      { numRuns: 300 },
    );
  });

  test("is to @msgpack/msgpack what it is to us", () => {
    fc.assert(
      fc.property(plain, (message) => {
        const bytes = encodeWith({ asReleased: true }, message).subarray(HEADER_LENGTH);
        expect(hex(bytes)).toBe(hex(new PeerEncoder().encode(message)));
        expect(new Decoder().decode(bytes)).toEqual(new PeerDecoder({ mapKeyConverter: String }).decode(bytes));
      }),
      { numRuns: 300 },
    );
  });

  test("that is random bytes is decoded or refused, never anything else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          new Decoder().decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

/** -0 travels as the integer 0, as between released peers, and numbers beyond 2^53 as integers where 64 bits hold them. */
function asReceived(message: unknown): unknown {
  if (Object.is(message, -0)) return 0;
  if (Number.isInteger(message) && !Number.isSafeInteger(message) && Math.abs(message as number) < 2 ** 63) return BigInt(message as number);
  if (Array.isArray(message)) return message.map(asReceived);
  if (typeof message !== "object" || message === null || Object.getPrototypeOf(message) !== Object.prototype) return message;
  return Object.fromEntries(Object.entries(message).map(([key, item]) => [key, asReceived(item)]));
}
