// The numbers of messages, by which a connection takes up where the one before it ended (RES-2 to RES-4): wslink.session.numbering in Python.
import { ErrorCode, ProtocolError } from "../errors.js";

interface Kept<Message> {
  readonly message: Message;
  readonly size: number;
}

/** The messages of one direction that were sent and that the peer may lack. */
export class Unacknowledged<Message> {
  /** The number given last; 0 before the first. */
  last = 0;
  /** Bytes of the messages kept. */
  size = 0;
  /** The largest number that is not kept although the peer may lack it; 0 if there is none. */
  lost = 0;
  /** In the order of numbers. Few of them are below what was acknowledged: those that the peer reported missing. */
  readonly #kept = new Map<number, Kept<Message>>();

  get messages(): readonly Message[] {
    return [...this.#kept.values()].map(({ message }) => message);
  }

  /** Keeps a message whose first chunk is about to be sent; returns its number. */
  number(message: Message, size: number): number {
    this.last += 1;
    this.#kept.set(this.last, { message, size });
    this.size += size;
    return this.last;
  }

  /** The peer has all up to `received` but those `missing`. What was never sent changes nothing. */
  acknowledge(received: number, missing: readonly number[]): void {
    if (received > this.last) return;
    const lacks = new Set(missing);
    for (const [number, { size }] of this.#kept) {
      if (number > received) break;
      if (!lacks.has(number) && this.#kept.delete(number)) this.size -= size;
    }
    if (received >= this.lost && missing.every((number) => number > this.lost)) this.lost = 0;
  }

  /** Keeps nothing of what was sent so far: there is no return until the peer has acknowledged it (RES-4). */
  forget(): void {
    this.#kept.clear();
    this.size = 0;
    this.lost = this.last;
  }
}

/** The numbers of one direction that have arrived whole. */
export class Received {
  /** The largest number that has arrived; 0 before the first. */
  last = 0;
  /** Those below it that have not. */
  readonly missing = new Set<number>();
  readonly #maxMissing: number;

  /** @param maxMissing - how many may be missing below the largest; a peer that skips more is malformed. */
  constructor(maxMissing: number) {
    this.#maxMissing = maxMissing;
  }

  /**
   * Whether the message `number` is new; false for one that has arrived before.
   *
   * @throws ProtocolError where it leaves more missing than may be.
   */
  take(number: number): boolean {
    if (number <= this.last) return this.missing.delete(number);
    if (this.missing.size + number - this.last - 1 > this.#maxMissing) {
      throw new ProtocolError(ErrorCode.parse, `message number ${number} leaves more than ${this.#maxMissing} missing (RES-3)`);
    }
    for (let skipped = this.last + 1; skipped < number; skipped++) this.missing.add(skipped);
    this.last = number;
    return true;
  }
}

/** Whether a peer's `value` is a number of messages, bytes or milliseconds. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
