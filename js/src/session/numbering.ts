// Message numbers, with which a connection continues where the previous one ended (RES-2 to RES-4): wslink.session.numbering in Python.
import { ErrorCode, ProtocolError } from "../errors.js";

interface Kept<Message> {
  readonly message: Message;
  readonly size: number;
}

/** The messages of one direction that were sent and that the peer may not have received. */
export class Unacknowledged<Message> {
  /** The last number that was assigned; 0 before the first. */
  last = 0;
  /** Bytes of the kept messages. */
  size = 0;
  /** The highest number that is not kept although the peer may not have it; 0 if there is none. */
  lost = 0;
  /** In the order of numbers. Few of them are below what was acknowledged: those that the peer reported missing. */
  readonly #kept = new Map<number, Kept<Message>>();

  get messages(): readonly Message[] {
    return [...this.#kept.values()].map(({ message }) => message);
  }

  /** Keeps a message whose first chunk is about to be sent, and returns its number. */
  number(message: Message, size: number): number {
    this.last += 1;
    this.#kept.set(this.last, { message, size });
    this.size += size;
    return this.last;
  }

  /** The peer has received everything up to `received`, except for `missing`. A number that was never assigned is ignored. */
  acknowledge(received: number, missing: readonly number[]): void {
    if (received > this.last) return;
    const lacks = new Set(missing);
    for (const [number, { size }] of this.#kept) {
      if (number > received) break;
      if (!lacks.has(number) && this.#kept.delete(number)) this.size -= size;
    }
    if (received >= this.lost && missing.every((number) => number > this.lost)) this.lost = 0;
  }

  /** Drops everything that was sent so far: the session cannot be resumed until the peer has acknowledged it (RES-4). */
  forget(): void {
    this.#kept.clear();
    this.size = 0;
    this.lost = this.last;
  }
}

/** The numbers of one direction that have arrived completely. */
export class Received {
  /** The highest number that has arrived; 0 before the first. */
  last = 0;
  /** The numbers below it that have not arrived. */
  readonly missing = new Set<number>();
  readonly #maxMissing: number;

  /** @param maxMissing - how many may be missing below the highest. A peer that skips more is at fault. */
  constructor(maxMissing: number) {
    this.#maxMissing = maxMissing;
  }

  /**
   * Records the message `number`. Returns false if it has arrived before.
   *
   * @throws ProtocolError if too many are missing now.
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

/** Whether a peer's `value` is a valid number of messages, bytes or milliseconds. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
