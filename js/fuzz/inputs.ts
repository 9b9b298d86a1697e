// What the fuzzer makes inputs of: the shared vectors and corpus.json, mutated, put together and repeated.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { encode } from "@msgpack/msgpack";
import { CLIENT_ID, frame } from "../tests/support/peer.js";
import { readVectors, unhex } from "../tests/support/vectors.js";

interface Corpus {
  readonly messages: readonly { readonly name: string; readonly packed: string }[];
  readonly large: readonly { readonly name: string; readonly start: string; readonly repeat: string }[];
  readonly colliding: { readonly name: string; readonly multiples: readonly string[]; readonly count: number };
}

const MIB = 2 ** 20;
const corpus = JSON.parse(readFileSync(new URL("corpus.json", import.meta.url), "utf8")) as Corpus;
const vectors = readVectors<Record<"cases" | "decode" | "malformed", { packed: string }[]>>("second_generation");
const arrays = readVectors<Record<"cases" | "decode" | "malformed", { payload: string }[]>>("arrays");
const chunks = readVectors<{ cases: { frames: string[] }[] }>("chunks");

/** An array's payload as the extension that carries it (ARR-1). */
function extension(payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(6 + payload.length);
  new DataView(bytes.buffer).setUint32(1, payload.length);
  bytes.set([0xc9], 0);
  bytes.set([1], 5);
  bytes.set(payload, 6);
  return bytes;
}

/** Messages of extensions (EXT-4): acknowledgements, settled publications, items, credits, cancellation and progress. */
const extensions: readonly unknown[] = [
  ...[[1, 100, 0], [1, 2 ** 53, -1], [1, 40, 60_000, 1, [], true], [1, 0, 0, 2 ** 32, [1, 2, 3]], [1, 0, 0, 3, [-1]], [1, "x", 1.5, null, {}], [1], []],
  ...[[2, 1, 1, 0], [3, `rpc:${CLIENT_ID}:1`, 0, 7], [3, `rpc:${CLIENT_ID}:1`, 99, 7], [4, `rpc:${CLIENT_ID}:1`, 1], [5, `rpc:${CLIENT_ID}:1`, 2 ** 53, 0]],
  ...[[6, "rpc:server:1"], [6, 5], [7, `rpc:${CLIENT_ID}:1`, 0.5], [99, {}], [true]],
];

export const messages: readonly Uint8Array[] = [
  ...extensions.map((items) => encode(items)),
  ...[...vectors.cases, ...vectors.decode, ...vectors.malformed].map(({ packed }) => unhex(packed)),
  ...[...arrays.cases, ...arrays.decode, ...arrays.malformed].map(({ payload }) => extension(unhex(payload))),
  ...corpus.messages.map(({ packed }) => unhex(packed)),
];

/** Frames that belong together, as a server may send them one after another. */
export const sequences: readonly (readonly Uint8Array[])[] = [
  ...chunks.cases.map(({ frames }) => frames.map(unhex)),
  ...messages.map((message) => [frame(message)]),
];

function repeated(start: Uint8Array, unit: Uint8Array, size: number): Uint8Array {
  const count = Math.max(0, Math.floor((size - start.length) / Math.max(unit.length, 1)));
  return new Uint8Array(Buffer.concat([start, ...Array<Uint8Array>(count).fill(unit)]));
}

function collidingMap(multiple: bigint, count: number): Uint8Array {
  const bytes = Buffer.alloc(5 + count * 10);
  bytes.writeUInt8(0xdf, 0);
  bytes.writeUInt32BE(count, 1);
  for (let n = 0; n < count; n++) {
    bytes.writeUInt8(0xcf, 5 + n * 10);
    bytes.writeBigUInt64BE(BigInt.asUintN(64, BigInt(n) * multiple), 6 + n * 10);
    bytes.writeUInt8(0xc0, 14 + n * 10);
  }
  return new Uint8Array(bytes);
}

/** Inputs of just below 1 MiB which cost the most. */
export const large: readonly (readonly [string, Uint8Array])[] = [
  ...corpus.large.map(({ name, start, repeat }) => [name, repeated(unhex(start), unhex(repeat), MIB)] as const),
  ...corpus.colliding.multiples.map((each) => [`${corpus.colliding.name}: ${each}`, collidingMap(BigInt(each), corpus.colliding.count)] as const),
];

/** Codes with which something begins that has a length, and lengths that lie. */
const nasty = fc.constantFrom(
  ...["c4ff", "c5ffff", "c6ffffffff", "c7ff01", "c9ffffffff01", "d401", "d8ff", "d9ff", "dbffffffff", "dcffff", "ddffffffff", "deffff", "dfffffffff"],
  ...["80", "8f", "90", "9f", "a0", "bf", "c0", "c1", "c3", "cb", "cf", "d3", "ff", "00", "7f", "a26964", "a6726573756c74", "d6ff"],
).map(unhex);

type Mutation = (bytes: Uint8Array) => Uint8Array;

const join = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
const place = fc.double({ min: 0, max: 1, noNaN: true });
const at = (bytes: Uint8Array, where: number): number => Math.floor(where * bytes.length);

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(place, fc.nat(255)).map(([where, value]): Mutation => (bytes) => join(bytes.subarray(0, at(bytes, where)), Uint8Array.of(value), bytes.subarray(at(bytes, where) + 1))),
  fc.tuple(place, nasty).map(([where, piece]): Mutation => (bytes) => join(bytes.subarray(0, at(bytes, where)), piece, bytes.subarray(at(bytes, where)))),
  fc.tuple(place, nasty).map(([where, piece]): Mutation => (bytes) => join(bytes.subarray(0, at(bytes, where)), piece, bytes.subarray(at(bytes, where) + piece.length))),
  fc.tuple(place, place).map(([from, to]): Mutation => (bytes) => join(bytes.subarray(0, at(bytes, from)), bytes.subarray(at(bytes, to)))),
  place.map((where): Mutation => (bytes) => bytes.subarray(0, at(bytes, where))),
  fc.tuple(place, fc.constantFrom(...messages)).map(([where, other]): Mutation => (bytes) => join(bytes.subarray(0, at(bytes, where)), other, bytes.subarray(at(bytes, where)))),
);

function mutated(start: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  return fc.tuple(start, fc.array(mutation, { maxLength: 6 })).map(([bytes, mutations]) => mutations.reduce((made, mutate) => mutate(made), bytes));
}

export const message = mutated(fc.oneof(fc.constantFrom(...messages), fc.uint8Array({ maxLength: 64 })));

const recording = unhex(readVectors<{ file: string }>("recording").file);

/** A record of a recording: its size in four bytes, and so many bytes (REC-2). */
const record = (bytes: Uint8Array): Uint8Array => join(new Uint8Array(Uint32Array.of(bytes.length).buffer), bytes);

/** Files of recordings: a good one with other bytes in it, or with whole records behind it that say anything. */
export const recordings = fc.oneof(
  mutated(fc.constant(recording)),
  fc.array(message, { maxLength: 6 }).map((rows) => join(recording, ...rows.map(record))),
  fc.tuple(fc.nat(6), fc.array(message, { maxLength: 4 })).map(([kind, parts]) =>
    join(recording, ...parts.map((bytes) => record(join(Uint8Array.of(0x95, kind, 0xcb, 0x40, 0, 0, 0, 0, 0, 0, 0, 0x91, 0xa1, 0x63, 0xc0, 0xc5, bytes.length >> 8, bytes.length & 255), bytes)))),
  ),
);

/** Mostly small, sometimes repeated to nearly 1 MiB, where a cost that grows faster than the input shows. */
export const anyMessage = fc.oneof(
  { weight: 40, arbitrary: message },
  { weight: 1, arbitrary: fc.tuple(message, mutated(fc.constantFrom(...messages))).map(([start, unit]) => repeated(start.subarray(0, 64), unit.subarray(0, 64), MIB)) },
  { weight: 1, arbitrary: mutated(fc.constantFrom(...large.map(([, bytes]) => bytes))) },
);

const header = fc.record({ id: fc.nat(3), offset: fc.oneof(fc.nat(300), fc.constantFrom(0, 1, 2 ** 32 - 1)), total: fc.oneof(fc.nat(300), fc.constantFrom(0, 2 ** 30, 2 ** 32 - 1)) });

/** Frames of one connection: chunks that lie about their place, in any order. */
export const frames = fc.array(
  fc.oneof(
    fc.constantFrom(...sequences).map((sequence) => [...sequence]),
    fc.constantFrom(...sequences).chain((sequence) => fc.shuffledSubarray([...sequence])),
    mutated(fc.constantFrom(...sequences.flat())).map((bytes) => [bytes]),
    fc.tuple(message, header).map(([body, lies]) => [frame(body.subarray(0, 300), lies)]),
    message.map((body) => [frame(body)]),
  ),
  { maxLength: 12 },
).map((each) => each.flat());
