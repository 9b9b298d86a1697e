// Reads tests/vectors, which Python runs too. The notation of values is that of docs/protocol/README.md.
import { readFileSync } from "node:fs";
import { type DType, NDArray, layoutOf, sizeOf } from "../../src/wire/ndarray.js";

export interface ArrayNotation {
  readonly dtype: DType;
  readonly shape: number[];
  readonly data: string;
}

export function readVectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../../tests/vectors/${name}.json`, import.meta.url), "utf8")) as T;
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

export function unhex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "hex"));
}

export function toArray({ dtype, shape, data }: ArrayNotation): NDArray {
  const layout = layoutOf(dtype);
  if (!layout) throw new Error(`no such dtype: ${dtype}`);
  return new NDArray(new layout.array(unhex(data).buffer, 0, sizeOf(shape) * layout.entries), shape, dtype);
}

/** The value that `notation` stands for. */
export function toValue(notation: unknown): unknown {
  if (Array.isArray(notation)) return notation.map(toValue);
  if (typeof notation !== "object" || notation === null) return notation;
  const [first = ""] = Object.keys(notation);
  const written = (notation as Record<string, unknown>)[first];
  switch (first) {
    case "$bytes":
      return unhex(written as string);
    case "$int":
      return BigInt(written as string);
    case "$float":
      return { nan: NaN, inf: Infinity, "-inf": -Infinity }[written as string] ?? Number(written);
    case "$array":
      return toArray(written as ArrayNotation);
    default:
      return Object.fromEntries(Object.entries(notation).map(([key, value]) => [key, toValue(value)]));
  }
}
