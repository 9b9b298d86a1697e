import { describe, expect, test } from "vitest";
import { ErrorCode, ProtocolError, UsageError } from "../../src/errors.js";
import { Assembler } from "../../src/wire/assembler.js";
import { withDefaults } from "../../src/wire/limits.js";
import { cut } from "../support/encoded.js";
import { hex, readVectors, unhex } from "../support/vectors.js";

interface Case {
  readonly name: string;
  readonly limits?: { readonly max_message: number; readonly max_partial: number };
  readonly ends?: boolean;
  readonly frames: string[];
  readonly outcomes: unknown[];
}

const { cases } = readVectors<{ cases: Case[] }>("chunks");

function outcome(assembler: Assembler, frame: string): unknown {
  try {
    const message = assembler.add(unhex(frame));
    return message ? { message: hex(message) } : null;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { error: error.code === ErrorCode.limit ? "limit" : "malformed" };
  }
}

test.each(cases)("vector: $name", ({ limits, ends = false, frames, outcomes }) => {
  const assembler = new Assembler(withDefaults({ maxMessage: limits?.max_message, maxPartial: limits?.max_partial }));
  assembler.acceptsEnds = ends;
  expect(frames.map((frame) => outcome(assembler, frame))).toEqual(outcomes);
});

function frameOf(id: number, offset: number, total: number, length: number): Uint8Array {
  const frame = new Uint8Array(12 + length);
  new Uint32Array(frame.buffer, 0, 3).set([id, offset, total]);
  return frame;
}

describe("an assembler", () => {
  test("hands out a message of one frame without copying it", () => {
    const [frame] = cut(new Uint8Array(12 + 100), 1) as [Uint8Array];
    const message = new Assembler(withDefaults({})).add(frame);
    expect(message?.buffer).toBe(frame.buffer);
    expect(message?.byteOffset).toBe(frame.byteOffset + 12);
  });

  test("joins chunks 12 bytes into its buffer (G2-9)", () => {
    const assembler = new Assembler(withDefaults({}));
    const outcomes = cut(new Uint8Array(12 + 100), 1, 50).map((frame) => assembler.add(frame));
    expect(outcomes.at(-1)?.byteOffset).toBe(12);
  });

  test("defect 6: a header alone reserves nothing", () => {
    const assembler = new Assembler(withDefaults({}));
    const before = process.memoryUsage().arrayBuffers;
    for (let id = 0; id < 64; id++) assembler.add(frameOf(id, 0, 2 ** 30, 1));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
  });

  test.each([
    ["joined to the run before it", [[0, 10], [10, 20], [10, 20]]],
    ["joined to the run after it", [[10, 20], [0, 10], [0, 10]]],
    ["joined to both", [[0, 10], [20, 30], [10, 20], [12, 14]]],
    ["that begins behind a gap", [[0, 10], [20, 30], [10, 15], [20, 30]]],
  ])("refuses bytes of a run, %s, that come again", (_, chunks) => {
    const assembler = new Assembler(withDefaults({}));
    const frames = chunks.map(([start = 0, end = 0]) => frameOf(1, start, 100, end - start));
    const again = frames.pop() as Uint8Array;
    for (const frame of frames) expect(assembler.add(frame)).toBeUndefined();
    expect(() => assembler.add(again)).toThrow("overlap");
  });

  test("takes 60,000 chunks in reverse order in no time", () => {
    const assembler = new Assembler(withDefaults({}));
    const total = 60_000;
    const start = performance.now();
    let message: Uint8Array | undefined;
    for (let offset = total - 1; offset >= 0; offset--) message = assembler.add(frameOf(1, offset, total, 1));
    expect(message?.length).toBe(total);
    expect(performance.now() - start).toBeLessThan(3000);
  });

  test("remembers no more refused messages than partial ones", () => {
    const assembler = new Assembler(withDefaults({ maxMessage: 10, maxPartial: 2 }));
    for (let id = 0; id < 4; id++) expect(() => assembler.add(frameOf(id, 0, 100, 5))).toThrow(ProtocolError);
    for (const id of [2, 3]) expect(assembler.add(frameOf(id, 5, 100, 5))).toBeUndefined(); // skipped in silence
    expect(() => assembler.add(frameOf(1, 5, 100, 5))).toThrow(ProtocolError); // forgotten: refused once more
  });

  test.each([{ maxMessage: 0 }, { maxPartial: -1 }, { maxMessage: NaN }])("refuses the limits %o", (limits) => {
    expect(() => withDefaults(limits)).toThrow(UsageError);
  });
});
