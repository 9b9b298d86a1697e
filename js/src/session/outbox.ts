import { chunk } from "../wire/chunks.js";
import type { Encoded } from "../wire/encoder.js";
import { DEFAULT_FRAME_SIZE } from "../wire/limits.js";

/** Sends messages in the order in which they were given, also where some must wait for the bytes of a Blob. */
export class Outbox {
  /** The largest frame, header included, in bytes (G2-5). */
  frameSize = DEFAULT_FRAME_SIZE;

  readonly #send: (frame: Uint8Array) => void;
  #lastId = 0;
  /** Settles when nothing waits any more; undefined while nothing does. */
  #waiting: Promise<unknown> | undefined;

  constructor(send: (frame: Uint8Array) => void) {
    this.#send = send;
  }

  /**
   * Sends a message: at once, unless it or one before it has blobs.
   *
   * @throws what reading a Blob throws; the message is then not sent.
   */
  async post(message: Encoded): Promise<void> {
    if (!this.#waiting && message.blobs.length === 0) return this.#transmit(message.bytes);
    const sent = Promise.all([this.#waiting, fill(message)]).then(() => this.#transmit(message.bytes));
    // A message that fails holds up nothing.
    const over: Promise<void> = sent.catch(() => undefined).then(() => {
      if (this.#waiting === over) this.#waiting = undefined;
    });
    this.#waiting = over;
    return sent;
  }

  #transmit(message: Uint8Array): void {
    this.#lastId = (this.#lastId + 1) >>> 0;
    for (const frame of chunk(message, this.#lastId, this.frameSize)) this.#send(frame);
  }
}

async function fill({ bytes, blobs }: Encoded): Promise<void> {
  for (const { offset, blob } of blobs) bytes.set(new Uint8Array(await blob.arrayBuffer()), offset);
}
