import { ErrorCode, ProtocolError } from "../errors.js";
import { type ChunkHeader, readHeader } from "./chunks.js";
import { HEADER_LENGTH, type Limits } from "./limits.js";

/** Bytes `start` to `end` of a message, all of which have arrived. */
interface Run {
  start: number;
  end: number;
}

interface Partial {
  readonly total: number;
  received: number;
  readonly chunks: { readonly offset: number; readonly bytes: Uint8Array }[];
  /** What the chunks cover: in order, and neighbours are one run, so that there are few. */
  readonly runs: Run[];
}

/** Joins chunks to messages (G2-6 to G2-9). It keeps the frames it was given, and reserves nothing ahead of them. */
export class Assembler {
  readonly #limits: Limits;
  readonly #partials = new Map<number, Partial>();
  /** Of messages that were dropped, how many bytes are still to be skipped (G2-8); no more of them than of partial ones. */
  readonly #skipped = new Map<number, number>();
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
    if (this.#skips(header.id, bytes.length)) return undefined;
    try {
      this.#check(header, bytes.length);
      return this.#isWhole(header, bytes.length) ? bytes : this.#keep(header, bytes);
    } catch (error) {
      this.#drop(header, bytes.length);
      throw error;
    }
  }

  #isWhole({ id, total }: ChunkHeader, length: number): boolean {
    return length === total && !this.#partials.has(id);
  }

  #check({ id, offset, total }: ChunkHeader, length: number): void {
    const { maxMessage } = this.#limits;
    const partial = this.#partials.get(id);
    if (partial && partial.total !== total) throw malformed(`the total of a message changed from ${partial.total} to ${total} bytes`);
    if (offset + length > total) throw malformed(`a chunk reaches beyond its message of ${total} bytes`);
    if (length === 0 && total > 0) throw malformed("a chunk is empty");
    if (total > maxMessage) throw over(`a message of ${total} bytes is over maxMessage (${maxMessage})`);
  }

  #keep({ id, offset, total }: ChunkHeader, bytes: Uint8Array): Uint8Array | undefined {
    if (this.#kept + bytes.length > this.#limits.maxMessage) {
      throw over(`messages under way hold more than maxMessage (${this.#limits.maxMessage} bytes)`);
    }
    const partial = this.#partials.get(id) ?? this.#begin(id, total);
    if (!cover(partial.runs, offset, offset + bytes.length)) throw malformed("two chunks of a message overlap");
    partial.chunks.push({ offset, bytes });
    partial.received += bytes.length;
    this.#kept += bytes.length;
    if (partial.received < total) return undefined;
    this.#forget(id);
    return join(partial);
  }

  #begin(id: number, total: number): Partial {
    const { maxPartial } = this.#limits;
    if (this.#partials.size >= maxPartial) throw over(`more than maxPartial (${maxPartial}) messages are under way`);
    const partial = { total, received: 0, chunks: [], runs: [] };
    this.#partials.set(id, partial);
    return partial;
  }

  #skips(id: number, length: number): boolean {
    const left = this.#skipped.get(id);
    if (left === undefined) return false;
    if (left > length) this.#skipped.set(id, left - length);
    else this.#skipped.delete(id);
    return true;
  }

  /** Gives a message up; what is still to come of it will be skipped. */
  #drop({ id, total }: ChunkHeader, length: number): void {
    const left = total - length - (this.#partials.get(id)?.received ?? 0);
    this.#forget(id);
    if (left <= 0) return;
    const [oldest] = this.#skipped.keys();
    if (oldest !== undefined && this.#skipped.size >= this.#limits.maxPartial) this.#skipped.delete(oldest);
    this.#skipped.set(id, left);
  }

  #forget(id: number): void {
    this.#kept -= this.#partials.get(id)?.received ?? 0;
    this.#partials.delete(id);
  }
}

/** Adds bytes `start` to `end` to the runs; false where some of them are there already. */
function cover(runs: Run[], start: number, end: number): boolean {
  const index = firstFrom(runs, start);
  const before = runs[index - 1];
  const after = runs[index];
  if ((before && before.end > start) || (after && after.start < end)) return false;
  if (before?.end === start) {
    before.end = after?.start === end ? after.end : end;
    if (after?.start === end) runs.splice(index, 1);
  } else if (after?.start === end) {
    after.start = start;
  } else {
    runs.splice(index, 0, { start, end });
  }
  return true;
}

/** The index of the first run that starts at `offset` or later. */
function firstFrom(runs: readonly Run[], offset: number): number {
  let low = 0;
  let high = runs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((runs[middle] as Run).start < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

function join({ total, chunks }: Partial): Uint8Array {
  // The message stands where it would stand in a frame, so that arrays in it are as aligned as there (G2-9).
  const joined = new Uint8Array(HEADER_LENGTH + total);
  for (const { offset, bytes } of chunks) joined.set(bytes, HEADER_LENGTH + offset);
  return joined.subarray(HEADER_LENGTH);
}

function over(message: string): ProtocolError {
  return new ProtocolError(ErrorCode.limit, message);
}

function malformed(message: string): ProtocolError {
  return new ProtocolError(ErrorCode.parse, message);
}
