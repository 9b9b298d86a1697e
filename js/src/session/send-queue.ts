import { UsageError } from "../errors.js";
import { withHeader } from "../wire/chunks.js";
import type { Encoded } from "../wire/encoder.js";
import { DEFAULT_FRAME_SIZE, HEADER_LENGTH, MAX_TOTAL } from "../wire/limits.js";

/** A frame of more bytes is sent in pieces, and the page gets its turn between them. */
const AT_ONCE = 2 ** 20;

/** While more bytes wait in the transport, no further frame of a large message is made. */
const HIGH_WATER = 2 ** 24;

/** How often a transport that is full is looked at, in milliseconds. */
const POLL = 10;

/** Where frames go. */
export interface FrameSink {
  send(frame: Uint8Array): void;
  /** Bytes that were sent and have not left yet, where that is known. */
  readonly waiting?: number | undefined;
}

/** Sends messages in the order in which they were given. Large ones are cut up as they are sent, and Blobs read piece by piece. */
export class SendQueue {
  /** The largest frame, header included, in bytes (G2-5). */
  frameSize = DEFAULT_FRAME_SIZE;
  /** Set when the session has ended: nothing more is sent. */
  ended = false;

  readonly #sink: FrameSink;
  #lastId = 0;
  /** Settles when nothing waits any more; undefined while nothing does. */
  #waiting: Promise<void> | undefined;
  /** Ids of messages that are being sent in pieces, or wait for it. */
  readonly #queued = new Set<string>();

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /**
   * Sends a message: at once, unless it or one before it is large or holds a Blob.
   *
   * @param isWanted - asked when its turn has come; where it says no, the message is not sent at all.
   * @throws what reading a Blob throws; the message is then not sent, or not to its end.
   */
  async post(id: string, message: Encoded, isWanted: () => boolean): Promise<void> {
    if (message.size > MAX_TOTAL) throw new UsageError(`a message holds at most 4 GiB, not ${message.size} bytes`);
    const [first, ...rest] = message.parts;
    if (!this.#waiting && rest.length === 0 && first.length <= Math.min(this.frameSize, AT_ONCE)) {
      return this.#sink.send(withHeader(first, this.#nextId(), 0, message.size));
    }
    this.#queued.add(id);
    const sent = Promise.resolve(this.#waiting).then(() => (isWanted() ? this.#stream(id, message) : undefined));
    // A message that fails holds up nothing.
    const over: Promise<void> = sent.catch(() => undefined).then(() => {
      this.#queued.delete(id);
      if (this.#waiting === over) this.#waiting = undefined;
    });
    this.#waiting = over;
    return sent;
  }

  /** Sends no more of a message: the server skips the rest of what it has refused (G2-8). */
  stop(id: string): void {
    this.#queued.delete(id);
  }

  async #stream(id: string, { parts, size }: Encoded): Promise<void> {
    const messageId = this.#nextId();
    const source = new Source(parts);
    // The page waits for one frame at a time to be read and handed over: those of 4 MiB would take too long.
    const step = Math.max(Math.min(this.frameSize, DEFAULT_FRAME_SIZE) - HEADER_LENGTH, 1);
    for (let offset = 0; offset < size; offset += step) {
      while ((this.#sink.waiting ?? 0) > HIGH_WATER && !this.ended) await new Promise((resolve) => setTimeout(resolve, POLL));
      const frame = new Uint8Array(HEADER_LENGTH + Math.min(step, size - offset));
      await source.fill(frame).catch((error: unknown) => {
        // An empty chunk is malformed: the server drops what it has of the message (G2-7).
        if (offset > 0) this.#sink.send(withHeader(new Uint8Array(HEADER_LENGTH), messageId, offset, size));
        throw error;
      });
      if (this.ended || !this.#queued.has(id)) return;
      this.#sink.send(withHeader(frame, messageId, offset, size));
      if (offset + step < size) await turn();
    }
  }

  #nextId(): number {
    this.#lastId = (this.#lastId + 1) >>> 0;
    return this.#lastId;
  }
}

/** Reads the parts of a message from front to back. */
class Source {
  readonly #parts: (Uint8Array | Blob)[];
  #position = HEADER_LENGTH;

  constructor(parts: Encoded["parts"]) {
    this.#parts = [...parts];
  }

  /** Fills a frame behind its header. */
  async fill(frame: Uint8Array): Promise<void> {
    let at = HEADER_LENGTH;
    while (at < frame.length) {
      const part = this.#parts[0] as Uint8Array | Blob;
      const left = (part instanceof Uint8Array ? part.length : part.size) - this.#position;
      const size = Math.min(left, frame.length - at);
      frame.set(await slice(part, this.#position, size), at);
      at += size;
      this.#position += size;
      if (size < left) continue;
      this.#parts.shift();
      this.#position = 0;
    }
  }
}

function slice(part: Uint8Array | Blob, start: number, size: number): Uint8Array | Promise<Uint8Array> {
  if (part instanceof Uint8Array) return part.subarray(start, start + size);
  const blob = start === 0 && size === part.size ? part : part.slice(start, start + size);
  return blob.arrayBuffer().then((bytes) => new Uint8Array(bytes));
}

/** Lets the page do what waits: resolves in a task of its own, which is not delayed like those of timers. */
function turn(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
