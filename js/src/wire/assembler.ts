import { ErrorCode, ProtocolError } from "../errors.js";
import { type ChunkHeader, readHeader } from "./chunks.js";
import { HEADER_LENGTH, type Limits } from "./limits.js";

interface Slice {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

interface Partial {
  readonly total: number;
  received: number;
  /** In the order of their offsets, without overlaps. */
  readonly slices: Slice[];
}

/** Joins chunks to messages (G2-6 to G2-9). It keeps the frames it was given, and reserves nothing ahead of them. */
export class Assembler {
  readonly #limits: Limits;
  readonly #partials = new Map<number, Partial>();
  /** The refused messages and how many of their bytes are still to be skipped (G2-8); no more of them than of partial ones. */
  readonly #refused = new Map<number, { readonly total: number; left: number }>();
  /** The bytes in all partial messages. */
  #kept = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /**
   * Takes one frame.
   *
   * @returns the message that it completes, or undefined. A message that came in one frame is a view of that frame.
   * @throws ProtocolError for a malformed chunk (-32700) and for a message over the limits (-32003).
   */
  add(frame: Uint8Array): Uint8Array | undefined {
    if (frame.length < HEADER_LENGTH) throw malformed(`a frame of ${frame.length} bytes has no room for its header`);
    const header = readHeader(frame);
    const bytes = frame.subarray(HEADER_LENGTH);
    if (this.#skips(header, bytes.length)) return undefined;
    this.#check(header, bytes.length);
    return this.#isWhole(header, bytes.length) ? bytes : this.#keep(header, bytes);
  }

  #isWhole({ id, total }: ChunkHeader, length: number): boolean {
    return length === total && !this.#partials.has(id);
  }

  #check({ id, offset, total }: ChunkHeader, length: number): void {
    const partial = this.#partials.get(id);
    if (partial && partial.total !== total) this.#drop(id, `its total changed from ${partial.total} to ${total} bytes`);
    if (offset + length > total) this.#drop(id, `a chunk reaches beyond its total of ${total} bytes`);
    if (length === 0 && total > 0) this.#drop(id, "a chunk is empty");
    if (total > this.#limits.maxMessage) this.#refuse(id, total, length, `maxMessage (${this.#limits.maxMessage} bytes)`);
  }

  #keep(header: ChunkHeader, bytes: Uint8Array): Uint8Array | undefined {
    const { id, total } = header;
    const partial = this.#partialFor(header, bytes.length);
    if (!insert(partial.slices, { offset: header.offset, bytes })) this.#drop(id, "two chunks overlap");
    partial.received += bytes.length;
    this.#kept += bytes.length;
    if (partial.received < total) return undefined;
    this.#forget(id);
    return join(partial);
  }

  #partialFor({ id, total }: ChunkHeader, length: number): Partial {
    const { maxMessage, maxPartial } = this.#limits;
    let partial = this.#partials.get(id);
    if (!partial && this.#partials.size >= maxPartial) this.#refuse(id, total, length, `maxPartial (${maxPartial})`);
    if (this.#kept + length > maxMessage) this.#refuse(id, total, length, `maxMessage (${maxMessage} bytes)`);
    if (!partial) this.#partials.set(id, (partial = { total, received: 0, slices: [] }));
    return partial;
  }

  #skips({ id, total }: ChunkHeader, length: number): boolean {
    const refused = this.#refused.get(id);
    if (refused?.total !== total) return false;
    refused.left -= length;
    if (refused.left <= 0) this.#refused.delete(id);
    return true;
  }

  #refuse(id: number, total: number, length: number, limit: string): never {
    const left = total - (this.#partials.get(id)?.received ?? 0) - length;
    this.#forget(id);
    if (left > 0) this.#refused.set(id, { total, left });
    for (const oldest of this.#refused.keys()) {
      if (this.#refused.size <= this.#limits.maxPartial) break;
      this.#refused.delete(oldest);
    }
    throw new ProtocolError(ErrorCode.limit, `a message of ${total} bytes was skipped: over ${limit}`);
  }

  #drop(id: number, why: string): never {
    this.#forget(id);
    throw malformed(`a message was dropped: ${why}`);
  }

  #forget(id: number): void {
    this.#kept -= this.#partials.get(id)?.received ?? 0;
    this.#partials.delete(id);
  }
}

/** Puts `slice` where it belongs; false where it overlaps another. */
function insert(slices: Slice[], slice: Slice): boolean {
  const index = positionFor(slices, slice.offset);
  const before = slices[index - 1];
  const after = slices[index];
  if (before && before.offset + before.bytes.length > slice.offset) return false;
  if (after && slice.offset + slice.bytes.length > after.offset) return false;
  slices.splice(index, 0, slice);
  return true;
}

/** The index of the first slice at or after `offset`. */
function positionFor(slices: readonly Slice[], offset: number): number {
  let low = 0;
  let high = slices.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((slices[middle] as Slice).offset < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

function join({ total, slices }: Partial): Uint8Array {
  // The message stands where it would stand in a frame, so that arrays in it are as aligned as there (G2-9).
  const joined = new Uint8Array(HEADER_LENGTH + total);
  for (const { offset, bytes } of slices) joined.set(bytes, HEADER_LENGTH + offset);
  return joined.subarray(HEADER_LENGTH);
}

function malformed(message: string): ProtocolError {
  return new ProtocolError(ErrorCode.parse, message);
}
