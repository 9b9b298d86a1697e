import { ErrorCode, ProtocolError } from "../errors.js";
import { type ChunkHeader, readHeader } from "./chunks.js";
import { HEADER_LENGTH, type Limits, MAX_SMALL_CHUNKS } from "./limits.js";

/** Bytes `start` to `end` of a message, all of which have arrived. */
interface Run {
  start: number;
  end: number;
}

/** Bytes of a message from `offset` on: the first `length` of a block, which has room for more where chunks are small. */
interface Piece {
  readonly offset: number;
  readonly block: Uint8Array;
  length: number;
}

interface Partial {
  readonly total: number;
  received: number;
  readonly pieces: Piece[];
  /** How many pieces hold one small chunk alone. */
  small: number;
  /** What the chunks cover: in order, and neighbours are one run, so that there are few. */
  readonly runs: Run[];
  /** Whether it began on another connection, and may begin anew on this one (RES-13). */
  resumes?: boolean;
}

/** What has arrived of messages that are not whole, from their starts, by number (RES-13). */
export type Beginnings = ReadonlyMap<number, Partial>;

/** What is left of a message that was given up. */
interface Skipped {
  /** How many bytes are still to be skipped. */
  left: number;
  /** Why, until its beginning has been seen. */
  error: ProtocolError | undefined;
}

/** A message that was given up, and its first bytes. */
export interface Refused {
  readonly error: ProtocolError;
  readonly begin: Uint8Array;
}

/** Chunks below this many bytes cost more than their bytes: those that follow each other are kept in one block. */
const SMALL = 4096;

/** The most bytes in such a block. */
const BLOCK = 65_536;

type AssemblerLimits = Pick<Limits, "maxMessage" | "maxPartial">;

/** Joins chunks to messages (G2-6 to G2-9). It keeps the frames it was given, and reserves nothing ahead of them. */
export class Assembler {
  /** Whether the server may end a message before it is whole (CAN-3). */
  acceptsEnds = false;
  readonly #limits: AssemblerLimits;
  readonly #partials = new Map<number, Partial>();
  /** Messages that were dropped (G2-8); no more of them than of partial ones. */
  readonly #skipped = new Map<number, Skipped>();
  /** The bytes in all partial messages. */
  #kept = 0;
  /** The pieces of all partial messages that hold one small chunk alone. */
  #small = 0;
  #refused: Refused | undefined;

  constructor(limits: AssemblerLimits) {
    this.#limits = limits;
  }

  /** The message that was given up last, once its beginning is known; undefined when it has been taken. */
  takeRefused(): Refused | undefined {
    const refused = this.#refused;
    this.#refused = undefined;
    return refused;
  }

  /** What has arrived of messages with a number over a connection that has ended. */
  get beginnings(): Beginnings {
    return new Map([...this.#partials].filter(([id, { runs }]) => id > 0 && !runs[1] && !runs[0]?.start));
  }

  /** Goes on with what had arrived over another connection. */
  goOn(begun: Beginnings): void {
    for (const [id, partial] of begun) {
      this.#partials.set(id, { ...partial, resumes: true });
      this.#kept += partial.received;
      this.#small += partial.small;
    }
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
    if (this.acceptsEnds && isEnd(header, bytes)) {
      this.#forget(header.id);
      this.#skipped.delete(header.id);
      return undefined;
    }
    if (this.#skips(header, bytes)) return undefined;
    const partial = this.#partials.get(header.id);
    if (partial?.resumes) {
      partial.resumes = false;
      if (header.offset === 0) this.#forget(header.id); // its sender begins anew
    }
    try {
      this.#check(header, bytes.length);
      return this.#isWhole(header, bytes.length) ? bytes : this.#keep(header, bytes);
    } catch (error) {
      this.#drop(header, bytes, error as ProtocolError);
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
    this.#put(partial, offset, bytes);
    partial.received += bytes.length;
    this.#kept += bytes.length;
    if (partial.received < total) return undefined;
    this.#forget(id);
    return join(partial);
  }

  #begin(id: number, total: number): Partial {
    const { maxPartial } = this.#limits;
    if (this.#partials.size >= maxPartial) throw over(`more than maxPartial (${maxPartial}) messages are under way`);
    const partial = { total, received: 0, pieces: [], small: 0, runs: [] };
    this.#partials.set(id, partial);
    return partial;
  }

  #put(partial: Partial, offset: number, bytes: Uint8Array): void {
    const { pieces, received, total } = partial;
    const last = pieces.at(-1);
    const small = bytes.length < SMALL;
    let block = bytes;
    if (small && last && last.offset + last.length === offset) {
      if (last.length + bytes.length <= last.block.length) {
        last.block.set(bytes, last.length);
        last.length += bytes.length;
        return;
      }
      block = new Uint8Array(Math.min(Math.max(received, SMALL), BLOCK, total - offset));
      block.set(bytes);
    } else if (small) {
      if (this.#small >= MAX_SMALL_CHUNKS) throw over(`more than ${MAX_SMALL_CHUNKS} small chunks are under way`);
      this.#small += 1;
      partial.small += 1;
    }
    pieces.push({ offset, block, length: bytes.length });
  }

  #skips({ id, offset }: ChunkHeader, bytes: Uint8Array): boolean {
    const skipped = this.#skipped.get(id);
    if (!skipped) return false;
    if (offset === 0 && skipped.error) this.#refused = { error: skipped.error, begin: bytes };
    if (offset === 0) skipped.error = undefined;
    skipped.left -= bytes.length;
    if (skipped.left <= 0) this.#skipped.delete(id);
    return true;
  }

  /** Gives a message up; what is still to come of it will be skipped. */
  #drop({ id, offset, total }: ChunkHeader, bytes: Uint8Array, error: ProtocolError): void {
    const partial = this.#partials.get(id);
    const kept = partial && beginning(partial.pieces);
    const begin = kept?.length ? kept : offset === 0 ? bytes : undefined;
    if (begin) this.#refused = { error, begin };
    const left = (partial?.total ?? total) - bytes.length - (partial?.received ?? 0);
    this.#forget(id);
    if (left <= 0) return;
    const [oldest] = this.#skipped.keys();
    if (oldest !== undefined && this.#skipped.size >= this.#limits.maxPartial) this.#skipped.delete(oldest);
    this.#skipped.set(id, { left, error: begin ? undefined : error });
  }

  #forget(id: number): void {
    const partial = this.#partials.get(id);
    this.#kept -= partial?.received ?? 0;
    this.#small -= partial?.small ?? 0;
    this.#partials.delete(id);
  }
}

/** Whether a chunk says that no more of its message is sent (CAN-3). */
function isEnd({ offset, total }: ChunkHeader, { length }: Uint8Array): boolean {
  return length === 0 && total > 0 && offset === total;
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

/** The first bytes of a message, at least as many as its id needs where they are there. */
function beginning(pieces: readonly Piece[]): Uint8Array {
  const bytes = new Uint8Array(SMALL);
  let end = 0;
  for (const { offset, block, length } of pieces) {
    if (offset !== end || end >= SMALL) continue;
    bytes.set(block.subarray(0, Math.min(length, SMALL - end)), end);
    end = Math.min(end + length, SMALL);
  }
  return bytes.subarray(0, end);
}

function join({ total, pieces }: Partial): Uint8Array {
  // The message stands where it would stand in a frame, so that arrays in it are as aligned as there (G2-9).
  const joined = new Uint8Array(HEADER_LENGTH + total);
  for (const { offset, block, length } of pieces) joined.set(block.subarray(0, length), HEADER_LENGTH + offset);
  return joined.subarray(HEADER_LENGTH);
}

function over(message: string): ProtocolError {
  return new ProtocolError(ErrorCode.limit, message);
}

function malformed(message: string): ProtocolError {
  return new ProtocolError(ErrorCode.parse, message);
}
