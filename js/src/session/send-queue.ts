import { ConnectionError, UsageError } from "../errors.js";
import { inform } from "../report.js";
import { withHeader } from "../wire/chunks.js";
import type { Encoded } from "../wire/encoder.js";
import { DEFAULT_FRAME_SIZE, HEADER_LENGTH, MAX_TOTAL } from "../wire/limits.js";
import { Unacknowledged } from "./numbering.js";
import { Pace } from "./pace.js";
import { Source } from "./source.js";
import { turn } from "./turn.js";
import type { OnTransfer } from "./transfers.js";

/** Larger frames are sent in pieces, and the page's event loop runs between them. */
const AT_ONCE = 2 ** 20;

/** Messages of up to this many bytes overtake larger ones (LANE-2). */
const SMALL = 16_384;

/** While more bytes are waiting in the transport, no further frame of a large message is created. */
const HIGH_WATER = 2 ** 24;

/** How often a full transport is checked, in milliseconds. */
const POLL = 10;

/** How many large messages take turns; more of them wait. */
const MAX_STREAMS = 16;

/** After this many chunks' worth of smaller messages, a chunk of a large one is sent (LANE-3). */
const BULK_AFTER = 8;

/** The destination of frames. */
export interface FrameSink {
  send(frame: Uint8Array): void;
  /** Bytes that were sent and are still buffered, if known. */
  readonly waiting?: number | undefined;
}

/** A message that is waiting, is being sent, or was sent and may have to be sent again. */
export class Outgoing {
  /** Assigned with the first chunk; 0 until then. */
  number = 0;
  offset = 0;
  source: Source | undefined;
  /** Whether it is aborted: only the chunk that says so is still sent (CAN-3). */
  ended = false;
  sent: () => void = () => undefined;
  failed: (reason: unknown) => void = () => undefined;

  constructor(
    readonly id: string,
    readonly message: Encoded,
    readonly isWanted: () => boolean,
    readonly onTransfer?: OnTransfer,
  ) {}

  /** Starts again from the beginning, or from where the server needs it (RES-13). */
  rewind(offset = 0): void {
    this.offset = offset < this.message.size ? offset : 0;
    this.source = new Source(this.message.parts, this.offset);
  }

  /** Its bytes in memory, not counting the content of Blobs. */
  get kept(): number {
    return this.message.parts.reduce((sum, part) => sum + (ArrayBuffer.isView(part) ? part.length : 0), 0);
  }
}

/**
 * Sends messages in order. Large ones are cut into chunks as they are sent, and Blobs are read piece by piece. To a server that
 * acknowledges, small messages overtake large ones, which take turns (LANE-2). Between connections everything waits.
 */
export class SendQueue {
  /** The largest frame, including the header, in bytes (G2-5). */
  frameSize = DEFAULT_FRAME_SIZE;
  /** Whether a partly sent message is aborted by a chunk that says so (CAN-3). */
  sendsEnds = false;

  readonly #maxKept: number;
  #sink: FrameSink | undefined;
  /** Whether the server has accepted hello on this connection. */
  #open = false;
  #lastId = 0;
  #pace: Pace | undefined;
  /** What was sent and is not acknowledged, if the session can be resumed. */
  #sent: Unacknowledged<Outgoing> | undefined;
  #small: Outgoing[] = [];
  #bulk: Outgoing[] = [];
  /** Bytes of smaller messages that a large one has waited for. */
  #ahead = 0;
  #pumping = false;

  /** @param maxKept - the most bytes of messages that wait for a connection, or for the server to acknowledge them. */
  constructor(maxKept: number) {
    this.#maxKept = maxKept;
  }

  /** Sends frames to `sink`; messages wait until {@link SendQueue.open}. */
  connect(sink: FrameSink): void {
    this.#sink = sink;
  }

  /** The connection has ended. Messages that have not begun wait for the next one. */
  disconnect(): void {
    this.#sink = undefined;
    this.#open = false;
    this.#pace?.end();
    this.#pace = undefined;
    this.#keep(({ number }) => number === 0);
  }

  /** A session begins: nothing that was sent before counts. Returns what is waiting, for {@link SendQueue.restore}. */
  begin(numbered: boolean): Outgoing[] {
    this.#sent = numbered ? new Unacknowledged() : undefined;
    return this.#take();
  }

  /** The session continues: sends what the server is missing again, ahead of what is waiting (RES-6); of messages that have `begun` to arrive, the rest. */
  resume(received: number, missing: readonly number[], begun: ReadonlyMap<number, number>): void {
    this.received(received, missing);
    const again = this.#sent?.messages ?? [];
    for (const outgoing of again) outgoing.rewind(begun.get(outgoing.number));
    this.restore([...again, ...this.#take()]);
  }

  /** Queues messages behind those that are waiting. */
  restore(messages: readonly Outgoing[]): void {
    for (const outgoing of messages) this.#laneOf(outgoing).push(outgoing);
  }

  /** The server has accepted hello: sends everything that is waiting. */
  open(): void {
    this.#open = true;
    void this.#pump();
  }

  /** Whether more was sent than may be kept, so that it cannot be sent again (RES-4). */
  get overflowed(): boolean {
    return (this.#sent?.lost ?? 0) > 0;
  }

  /** The ids of messages of which nothing was sent. */
  get waiting(): ReadonlySet<string> {
    return new Set(this.#all.filter(({ number }) => number === 0).map(({ id }) => id));
  }

  /**
   * Sends a message: at once, unless it or one before it is large or holds a Blob.
   *
   * @param isWanted - called when it is the message's turn; if it returns false, the message is not sent at all.
   * @param onTransfer - called for each chunk that was sent.
   * @throws what reading a Blob throws; the message is then not sent, or aborted.
   */
  async post(id: string, message: Encoded, isWanted: () => boolean, onTransfer?: OnTransfer): Promise<void> {
    if (message.size > MAX_TOTAL) throw new UsageError(`a message holds at most 4 GiB, not ${message.size} bytes`);
    const outgoing = new Outgoing(id, message, isWanted, onTransfer);
    const whole = this.#wholeFrame(outgoing);
    if (whole && this.#passes) return this.#sendWhole(outgoing, whole);
    if (!this.#open) this.#checkRoom(message.size);
    await new Promise<void>((resolve, reject) => {
      outgoing.sent = resolve;
      outgoing.failed = reject;
      this.#laneOf(outgoing).push(outgoing);
      void this.#pump();
    });
  }

  /** Stops sending a message that the server has refused: it skips the rest (G2-8). */
  stop(id: string): void {
    this.#keep((outgoing) => outgoing.id !== id);
  }

  /**
   * Stops sending a message, from its next chunk on. One that has begun is sent to its end if the server does not support aborting.
   *
   * @param sent - called once all of it has been sent.
   */
  withdraw(id: string, sent: () => void): void {
    const outgoing = this.#all.find((waiting) => waiting.id === id);
    if (!outgoing) return sent();
    if (outgoing.number > 0 && !this.sendsEnds) {
      const { sent: before } = outgoing;
      outgoing.sent = () => {
        before();
        sent();
      };
      return;
    }
    this.stop(id);
    if (outgoing.number > 0) this.#end(outgoing);
  }

  /** Aborts a message; after a resumption, only that is sent again. */
  #end(outgoing: Outgoing): void {
    const { number, message } = outgoing;
    outgoing.ended = true;
    this.#send(withHeader(new Uint8Array(HEADER_LENGTH), number, message.size, message.size));
  }

  /** Sends a small message at once, which is acknowledged; if the session can be resumed, it has a number and is guaranteed to arrive (RES-2). */
  urge(message: Encoded): void {
    const [bytes] = message.parts;
    if (this.#sent) void this.post("", message, () => true).catch(() => undefined);
    else if (this.#open) this.#send(withHeader(bytes, this.#nextId(), 0, bytes.length - HEADER_LENGTH));
  }

  /** Sends at the rate of the server's acknowledgements, on this connection. */
  startFlow(): void {
    this.#pace = new Pace();
  }

  /** The server has received `total` bytes on this connection. */
  acknowledged(total: number, held: number): void {
    this.#pace?.acknowledged(total, held);
  }

  /** The server has received all messages up to a number, except for those that are missing. */
  received(number: number, missing: readonly number[]): void {
    this.#sent?.acknowledge(number, missing);
  }

  /**
   * Sends a small message at once, which is not acknowledged.
   *
   * @param number - 0 if it has none (RES-2).
   */
  notify({ parts: [bytes] }: Encoded, number = this.#sent ? 0 : this.#nextId()): void {
    this.#sink?.send(withHeader(bytes, number, 0, bytes.length - HEADER_LENGTH));
  }

  get #all(): Outgoing[] {
    return [...this.#small, ...this.#bulk];
  }

  #keep(test: (outgoing: Outgoing) => boolean): void {
    this.#small = this.#small.filter(test);
    this.#bulk = this.#bulk.filter(test);
  }

  #take(): Outgoing[] {
    return [...this.#small.splice(0), ...this.#bulk.splice(0)];
  }

  #laneOf({ message }: Outgoing): Outgoing[] {
    return this.#pace && message.size <= SMALL ? this.#small : this.#bulk;
  }

  /** A message that fits into one frame, without being copied. */
  #wholeFrame({ message: { parts }, offset }: Outgoing): Uint8Array | undefined {
    const [first] = parts;
    const most = Math.min(this.frameSize, this.#pace ? SMALL + HEADER_LENGTH : AT_ONCE);
    return parts.length === 1 && offset === 0 && first.length <= most ? first : undefined;
  }

  /** Whether a message that fits into one frame is sent at once. */
  get #passes(): boolean {
    if (!this.#open || this.#small.length > 0) return false;
    return this.#pace ? this.#pace.open : this.#bulk.length === 0;
  }

  #checkRoom(size: number): void {
    const waiting = this.#all.reduce((sum, { message }) => sum + message.size, 0);
    if (waiting === 0 || waiting + size <= this.#maxKept) return;
    throw new ConnectionError(`more than maxResume (${this.#maxKept} bytes) would wait for the connection`, 1006, "");
  }

  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#open && this.#small.length + this.#bulk.length > 0) {
      await this.#room();
      const outgoing = this.#next();
      const whole = outgoing && this.#wholeFrame(outgoing);
      if (outgoing?.ended) {
        this.#end(outgoing);
        this.#remove(outgoing);
      } else if (outgoing && whole) {
        this.#remove(outgoing); // first: whoever is told of it may withdraw it, or close
        this.#sendWhole(outgoing, whole);
        outgoing.sent();
      } else if (outgoing) {
        await this.#advance(outgoing);
      }
    }
    this.#pumping = false;
    this.#pace?.idle();
  }

  /** Usually it is the first of its lane. */
  #remove(outgoing: Outgoing): void {
    const lane = this.#small[0] === outgoing ? this.#small : this.#bulk;
    lane.splice(lane.indexOf(outgoing), 1);
  }

  /** The message whose turn it is. Those that are no longer wanted are dropped, unless the server waits for their number. */
  #next(): Outgoing | undefined {
    while (this.#open) {
      const bulk = this.#small.length === 0 || (this.#bulk.length > 0 && this.#ahead > BULK_AFTER * (this.#pace?.chunkSize ?? 0));
      const lane = bulk ? this.#bulk : this.#small;
      const [outgoing] = lane;
      if (!outgoing || outgoing.number > 0 || outgoing.isWanted()) return outgoing;
      lane.shift();
      outgoing.sent();
    }
    return undefined;
  }

  #sendWhole(outgoing: Outgoing, bytes: Uint8Array): void {
    const number = this.#number(outgoing);
    const total = bytes.length - HEADER_LENGTH;
    this.#ahead += bytes.length;
    this.#send(withHeader(bytes, number, 0, total));
    void inform(outgoing.onTransfer, { sent: total, total });
  }

  /** Sends the next chunk of a large message. */
  async #advance(outgoing: Outgoing): Promise<void> {
    const sink = this.#sink;
    const { message, offset } = outgoing;
    // The page is blocked while one frame is read and handed over: with frames of 4 MiB, for too long.
    const step = Math.max(Math.min(this.frameSize, this.#pace?.chunkSize ?? Infinity, DEFAULT_FRAME_SIZE) - HEADER_LENGTH, 1);
    const frame = new Uint8Array(HEADER_LENGTH + Math.min(step, message.size - offset));
    const source = (outgoing.source ??= new Source(message.parts));
    const failure = await source.fill(frame).then(() => undefined, (error: unknown) => ({ error }));
    if (sink !== this.#sink || !this.#all.includes(outgoing)) {
      // It was stopped, or the connection has ended.
      if (outgoing.number === 0) outgoing.rewind();
      return;
    }
    if (failure) return this.#abandon(outgoing, failure.error);
    this.#send(withHeader(frame, this.#number(outgoing), offset, message.size));
    this.#ahead = 0;
    outgoing.offset += frame.length - HEADER_LENGTH;
    this.#remove(outgoing);
    const left = outgoing.offset < message.size;
    // To a server that does not acknowledge, messages are sent one after another.
    if (left) this.#bulk.splice(this.#pace ? MAX_STREAMS - 1 : 0, 0, outgoing);
    void inform(outgoing.onTransfer, { sent: outgoing.offset, total: message.size });
    if (!left) return outgoing.sent();
    await new Promise<void>(turn);
  }

  /** A message cannot be read to its end. If the server does not support aborting, an empty chunk is malformed, so that it drops the message (G2-7). */
  #abandon(outgoing: Outgoing, error: unknown): void {
    const { number, offset, message } = outgoing;
    if (number > 0 && this.sendsEnds) this.#end(outgoing);
    else if (number > 0) this.#send(withHeader(new Uint8Array(HEADER_LENGTH), number, offset, message.size));
    this.#remove(outgoing);
    outgoing.failed(error);
  }

  /** The number of a message, which is assigned with its first chunk. */
  #number(outgoing: Outgoing): number {
    if (outgoing.number > 0) return outgoing.number;
    outgoing.number = this.#sent ? this.#sent.number(outgoing, outgoing.kept) : this.#nextId();
    if (this.#sent && this.#sent.size > this.#maxKept) this.#sent.forget();
    return outgoing.number;
  }

  #send(frame: Uint8Array): void {
    this.#pace?.sent(frame.length);
    this.#sink?.send(frame);
  }

  /** Resolves when the next chunk of a large message may be sent. */
  async #room(): Promise<void> {
    while (this.#open && (this.#sink?.waiting ?? 0) > HIGH_WATER) await new Promise((resolve) => setTimeout(resolve, POLL));
    await this.#pace?.turn();
  }

  #nextId(): number {
    this.#lastId = (this.#lastId + 1) >>> 0;
    return this.#lastId;
  }
}
