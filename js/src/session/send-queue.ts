import { UsageError } from "../errors.js";
import { withHeader } from "../wire/chunks.js";
import type { Encoded } from "../wire/encoder.js";
import { DEFAULT_FRAME_SIZE, HEADER_LENGTH, MAX_TOTAL } from "../wire/limits.js";
import { CongestionController } from "./congestion.js";

/** A frame of more bytes is sent in pieces, and the page gets its turn between them. */
const AT_ONCE = 2 ** 20;

/** A message of at most so many bytes passes larger ones (LANE-2). */
const SMALL = 16_384;

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

/** How many large messages are sent by turns; more wait. */
const MAX_STREAMS = 16;

/** What says when a chunk may go, for a server that acknowledges (FLOW-4). */
class Pace {
  readonly #line = new CongestionController(seconds());
  #waiting: (() => void)[] = [];

  get chunkSize(): number {
    return this.#line.chunkSize;
  }

  /** Whether less is in flight than may be. */
  get open(): boolean {
    return this.#line.inFlight < this.#line.window;
  }

  sent(size: number): void {
    this.#line.sent(seconds(), size);
  }

  acknowledged(total: number, held: number): void {
    this.#line.acknowledged(seconds(), total, held / 1000);
    this.wake();
  }

  idle(): void {
    this.#line.idle();
  }

  /** Resolves when a chunk may go. */
  async turn(): Promise<void> {
    for (let delay; (delay = this.#line.delay(seconds())) > 0; ) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        if (delay < Infinity) setTimeout(resolve, delay * 1000);
      });
    }
  }

  /** Lets all that wait look again. */
  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }
}

function seconds(): number {
  return performance.now() / 1000;
}

/**
 * Sends messages in the order in which they were given. Large ones are cut up as they are sent, and Blobs read piece by piece. To a server that
 * acknowledges, small messages pass large ones, which take turns (LANE-2).
 */
export class SendQueue {
  /** The largest frame, header included, in bytes (G2-5). */
  frameSize = DEFAULT_FRAME_SIZE;
  /** Whether a message of which no more is sent is ended by a chunk that says so (CAN-3). */
  sendsEnds = false;
  readonly #sink: FrameSink;
  #lastId = 0;
  /** Settles when nothing waits any more; undefined while nothing does. */
  #waiting: Promise<void> | undefined;
  #ended = false;
  #pace: Pace | undefined;
  /** Large messages that are being sent by turns. */
  readonly #streams = new Set<Promise<void>>();
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
    if (this.#pace) return this.#postPaced(id, message, isWanted);
    const [first, ...rest] = message.parts;
    if (!this.#waiting && rest.length === 0 && first.length <= Math.min(this.frameSize, AT_ONCE)) return this.#transmit(first);
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

  /** Sends no more of a message, from its next chunk on; false where nothing of it waits. */
  withdraw(id: string): boolean {
    return this.#queued.delete(id);
  }

  /** Nobody is there to send to any more. */
  end(): void {
    this.#ended = true;
    this.#pace?.wake();
  }

  /** Sends by what the server acknowledges, from now on. */
  startFlow(): void {
    this.#pace = new Pace();
  }

  acknowledged(total: number, held: number): void {
    this.#pace?.acknowledged(total, held);
  }

  /** Sends a small message at once, which is not acknowledged. */
  notify({ parts }: Encoded): void {
    const [bytes] = parts;
    if (!this.#ended && bytes instanceof Uint8Array) this.#sink.send(withHeader(bytes, this.#nextId(), 0, bytes.length - HEADER_LENGTH));
  }

  /** Sends a small message at once, which is acknowledged. */
  urge({ parts }: Encoded): void {
    const [bytes] = parts;
    if (!this.#ended && bytes instanceof Uint8Array) this.#transmit(bytes);
  }

  async #postPaced(id: string, message: Encoded, isWanted: () => boolean): Promise<void> {
    const [first] = message.parts;
    if (this.#pace?.open && message.parts.length === 1 && message.size <= SMALL && first instanceof Uint8Array) return this.#transmit(first);
    this.#queued.add(id);
    while (this.#streams.size >= MAX_STREAMS) await Promise.race(this.#streams);
    const sent = isWanted() ? this.#stream(id, message) : Promise.resolve();
    const over: Promise<void> = sent.catch(() => undefined).then(() => {
      this.#queued.delete(id);
      this.#streams.delete(over);
      if (this.#streams.size === 0) this.#pace?.idle();
    });
    this.#streams.add(over);
    return sent;
  }

  /** Sends a message that fits a frame. */
  #transmit(message: Uint8Array): void {
    this.#send(withHeader(message, this.#nextId(), 0, message.length - HEADER_LENGTH));
  }

  #send(frame: Uint8Array): void {
    this.#pace?.sent(frame.length);
    this.#sink.send(frame);
  }

  async #stream(id: string, { parts, size }: Encoded): Promise<void> {
    const messageId = this.#nextId();
    const source = new Source(parts);
    for (let offset = 0, step; offset < size; offset += step) {
      await this.#room();
      // The page waits for one frame at a time to be read and handed over: those of 4 MiB would take too long.
      step = Math.max(Math.min(this.frameSize, this.#pace?.chunkSize ?? Infinity, DEFAULT_FRAME_SIZE) - HEADER_LENGTH, 1);
      const frame = new Uint8Array(HEADER_LENGTH + Math.min(step, size - offset));
      await source.fill(frame).catch((error: unknown) => {
        // An empty chunk is malformed, if it is no end: the server drops what it has of the message (G2-7).
        this.#end(messageId, offset, size, this.sendsEnds ? size : offset);
        throw error;
      });
      if (this.#ended) return;
      if (!this.#queued.has(id)) {
        if (this.sendsEnds) this.#end(messageId, offset, size, size);
        return;
      }
      this.#send(withHeader(frame, messageId, offset, size));
      if (offset + step < size) await turn();
    }
    this.#queued.delete(id);
  }

  /** Sends a chunk without bytes, if anything of its message has been sent: no more of it comes (CAN-3). */
  #end(messageId: number, sent: number, size: number, offset: number): void {
    if (sent > 0 && !this.#ended) this.#send(withHeader(new Uint8Array(HEADER_LENGTH), messageId, offset, size));
  }

  /** Resolves when the next chunk of a large message may go. */
  async #room(): Promise<void> {
    while ((this.#sink.waiting ?? 0) > HIGH_WATER && !this.#ended) await new Promise((resolve) => setTimeout(resolve, POLL));
    if (!this.#ended) await this.#pace?.turn();
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
