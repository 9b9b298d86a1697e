import { ErrorCode, ProtocolError } from "../errors.js";
import { type DType, NDArray, isShape, layoutOf, sizeOf } from "./ndarray.js";

/** The MessagePack extension type of arrays (ARR-1). */
export const ARRAY_TYPE = 1;

/** The MessagePack extension type of what stands for a stream (STR-4). */
export const STREAM_TYPE = 2;

/** Stands for an argument that is a stream, by a number from 0 to 127. */
export class StreamKey {
  constructor(readonly key: number) {}
}

/** The MessagePack extension type of timestamps, as the MessagePack specification has it. */
export const TIMESTAMP_TYPE = -1;

/** The most padding bytes before an array's elements (ARR-2). */
const MAX_PADDING = 15;

/** Arrays of so many bytes or more are aligned when they are sent (ARR-4). */
export const ALIGN_ABOVE = 1024;

/** How many padding bytes bring elements that would start at `offset` of the message to 4 modulo 16 (ARR-4). */
export function paddingAt(offset: number): number {
  return (20 - (offset % 16)) % 16;
}

/**
 * Reads an array (ARR-2).
 *
 * @param payload - the extension's payload.
 * @param head - what its *H* bytes hold.
 * @param headEnd - where in the payload they end.
 * @returns an array that views the payload where its alignment allows, and copies otherwise.
 */
export function readArray(payload: Uint8Array, head: unknown, headEnd: number): NDArray {
  const [dtype, ...shape] = Array.isArray(head) ? (head as unknown[]) : [];
  const layout = layoutOf(dtype);
  if (!layout) throw malformed(`its element type is ${String(dtype)}`);
  if (!isShape(shape)) throw malformed("its shape is not a list of at most 32 sizes");
  const size = sizeOf(shape);
  const start = payload.length - size * layout.itemSize;
  if (!(start >= headEnd && start <= headEnd + MAX_PADDING)) throw malformed("its shape does not fit its bytes");
  const elements = aligned(payload.subarray(start), layout.array.BYTES_PER_ELEMENT);
  const data = new layout.array(elements.buffer, elements.byteOffset, size * layout.entries);
  return new NDArray(data, shape, dtype as DType);
}

/** Reads a timestamp of 4, 8 or 12 bytes; a Date has no finer unit than a millisecond. */
export function readTimestamp(payload: Uint8Array): Date {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  if (payload.length === 4) return new Date(view.getUint32(0) * 1000);
  if (payload.length === 12) return timestamp(Number(view.getBigInt64(4)), view.getUint32(0));
  if (payload.length !== 8) throw new ProtocolError(ErrorCode.parse, `a timestamp holds ${payload.length} bytes`);
  // 30 bits of nanoseconds, then 34 bits of seconds.
  const high = view.getUint32(0);
  return timestamp((high % 4) * 2 ** 32 + view.getUint32(4), Math.floor(high / 4));
}

function timestamp(seconds: number, nanoseconds: number): Date {
  const date = new Date(seconds * 1000 + Math.floor(nanoseconds / 1_000_000));
  if (Number.isNaN(date.getTime()) || nanoseconds >= 1e9) throw new ProtocolError(ErrorCode.parse, "a timestamp is none that a Date can hold");
  return date;
}

/** The same bytes at a multiple of `alignment` in their buffer: a copy where they are not at one. */
function aligned(bytes: Uint8Array, alignment: number): Uint8Array {
  return bytes.byteOffset % alignment === 0 ? bytes : bytes.slice();
}

function malformed(why: string): ProtocolError {
  return new ProtocolError(ErrorCode.parse, `an array is malformed: ${why}`);
}
