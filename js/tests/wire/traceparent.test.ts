// tests/vectors/trace.json, which Python runs too (TRC).
import { describe, expect, test } from "vitest";
import { Decoder } from "../../src/wire/decoder.js";
import { HEADER_LENGTH } from "../../src/wire/limits.js";
import { readMessage } from "../../src/wire/messages.js";
import { readTraceparent, writeTraceparent } from "../../src/wire/traceparent.js";
import { encodeWith } from "../support/encoded.js";
import { hex, readVectors, toValue, unhex } from "../support/vectors.js";

interface Case {
  readonly name: string;
  readonly value: unknown;
  readonly is: { readonly trace: string; readonly span: string; readonly sampled: boolean } | null;
}

interface Message {
  readonly name: string;
  readonly message: Readonly<Record<string, unknown>>;
  readonly packed: string;
}

const vectors = readVectors<{ messages: Message[]; traceparents: Case[] }>("trace");

describe("messages that name their span (TRC-1)", () => {
  test.each(vectors.messages)("encodes $name", ({ message, packed }) => {
    expect(hex(encodeWith({ arrays: true }, message).subarray(HEADER_LENGTH))).toBe(packed);
  });

  test.each(vectors.messages.filter(({ message }) => !(message.id as string).includes(":c000")))("reads $name", ({ message, packed }) => {
    expect(readMessage(new Decoder(), unhex(packed))).toMatchObject({ traceparent: message.traceparent });
  });
});

describe("what a traceparent is taken for (TRC-2)", () => {
  test.each(vectors.traceparents)("$name", ({ value, is }) => {
    const found = readTraceparent(toValue(value));
    expect(found).toEqual(is ? { traceId: is.trace, spanId: is.span, traceFlags: is.sampled ? 1 : 0, isRemote: true } : undefined);
    if (found && is) expect(writeTraceparent(found)).toBe(`00-${is.trace}-${is.span}-0${is.sampled ? 1 : 0}`);
  });
});
