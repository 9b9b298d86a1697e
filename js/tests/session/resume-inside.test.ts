// Large messages that go on where a cut has ended them (RES-13).
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { Source } from "../../src/session/source.js";
import { Assembler } from "../../src/wire/assembler.js";
import { HEADER_LENGTH } from "../../src/wire/limits.js";

interface Case {
  readonly name: string;
  readonly before: readonly string[];
  readonly begun: readonly (readonly number[])[];
  readonly after: readonly string[];
  readonly message: string;
}

const { cases } = JSON.parse(readFileSync(new URL("../../../tests/vectors/resume.json", import.meta.url), "utf8")) as { cases: Case[] };
const limits = { maxMessage: 2 ** 20, maxPartial: 64 };
const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));

it.each(cases)("goes on as the vectors say: $name", ({ before, begun, after, message }) => {
  const first = new Assembler(limits);
  for (const frame of before) expect(first.add(bytes(frame))).toBeUndefined();
  expect([...first.beginnings].map(([number, { received }]) => [number, received])).toEqual(begun);
  const second = new Assembler(limits);
  second.goOn(first.beginnings);
  const messages = after.map((frame) => second.add(bytes(frame)));
  expect(Buffer.from(messages.at(-1) ?? []).toString("hex")).toBe(message);
});

it.each([0, 1, 3, 4, 5, 7, 9])("reads the parts of a message from byte %i on", async (skip) => {
  const parts = [new Uint8Array([...new Array<number>(HEADER_LENGTH).fill(99), 0, 1, 2, 3]), new Blob([new Uint8Array([4, 5, 6])]), new Uint8Array([7, 8, 9])] as const;
  const frame = new Uint8Array(HEADER_LENGTH + 10 - skip);
  await new Source(parts, skip).fill(frame);
  expect([...frame.subarray(HEADER_LENGTH)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9].slice(skip));
});
