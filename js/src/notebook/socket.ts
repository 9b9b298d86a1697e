import type { Channel } from "./channel.js";
import { type Message, ownPath } from "./messages.js";

/** Bytes that the kernel has not taken yet beyond which no more are sent: transport/comm.py, WINDOW. */
const WINDOW = 2 ** 20;

/** Bytes taken, and milliseconds, after which the kernel is told without a frame for it: every message costs Jupyter more than a frame costs us. */
const ACKNOWLEDGE = WINDOW / 8;
const ACKNOWLEDGE_TIME = 100;

const [CONNECTING, OPEN, CLOSING, CLOSED] = [0, 1, 2, 3];

/** The standard's WebSocket, over messages to the kernel. */
export class CommWebSocket extends EventTarget {
  readonly CONNECTING = CONNECTING;
  readonly OPEN = OPEN;
  readonly CLOSING = CLOSING;
  readonly CLOSED = CLOSED;
  readonly extensions = "";
  readonly protocol = "";
  readonly url: string;
  binaryType: BinaryType = "blob";
  readyState: number = CONNECTING;
  bufferedAmount = 0;
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  readonly #channel: Channel;
  readonly #connection: number;
  readonly #turn = new MessageChannel();
  /** What has arrived and was not dispatched yet. */
  readonly #arrived: (string | ArrayBuffer)[] = [];
  /** What is to be sent once the kernel has taken more. */
  readonly #waiting: (string | ArrayBuffer)[] = [];
  #underWay = 0;
  #sent = 0;
  #expected = 0;
  #taken = 0;
  #due: ReturnType<typeof setTimeout> | undefined;
  #flushing = false;
  #last: Message | undefined;

  constructor(channel: Channel, url: string | URL) {
    super();
    this.url = new URL(url, document.baseURI).href;
    this.#channel = channel;
    // A task for each frame, as browsers have it: a result reaches who awaits it before the publications behind it (ORD-2).
    this.#turn.port2.onmessage = () => this.#dispatchOne();
    this.#connection = channel.open((content, buffers) => this.#take(content, buffers));
  }

  send(data: string | ArrayBuffer | ArrayBufferView | Blob): void {
    if (this.readyState === CONNECTING) throw new DOMException("the connection is not open yet", "InvalidStateError");
    if (data instanceof Blob) throw new TypeError("a notebook's connection sends no Blob: send its arrayBuffer()");
    const frame = typeof data === "string" ? data : copied(data);
    this.bufferedAmount += sizeOf(frame);
    if (this.readyState !== OPEN) return;
    this.#waiting.push(frame);
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => this.#flush()); // what is sent in one go is one message
  }

  close(code = 1000, reason = ""): void {
    if (this.readyState >= CLOSING) return;
    this.readyState = CLOSING;
    this.#flush(Infinity);
    this.#channel.send({ kind: "close", connection: this.#connection, code, reason });
    this.#take({ kind: "close", code, reason }, []);
  }

  #flush(window = WINDOW): void {
    this.#flushing = false;
    const texts: (string | null)[] = [];
    const buffers: ArrayBuffer[] = [];
    while (this.#waiting.length > 0 && this.#underWay < window) {
      const frame = this.#waiting.shift() ?? "";
      this.#underWay += sizeOf(frame);
      texts.push(typeof frame === "string" ? frame : null);
      if (typeof frame !== "string") buffers.push(frame);
    }
    if (texts.length > 0) this.#send({ kind: "frames", number: this.#sent++, texts }, buffers);
  }

  /** Sends a message, and with it how much has been taken. */
  #send(content: Message, buffers: ArrayBuffer[] = []): void {
    clearTimeout(this.#due);
    this.#due = undefined;
    this.#channel.send({ ...content, connection: this.#connection, taken: this.#taken }, buffers);
    this.#taken = 0;
  }

  #acknowledge(size: number): void {
    this.#taken += size;
    if (this.#taken >= ACKNOWLEDGE) this.#send({ kind: "taken" });
    else this.#due ??= setTimeout(() => this.#send({ kind: "taken" }), ACKNOWLEDGE_TIME);
  }

  #take(content: Message, buffers: ArrayBuffer[]): void {
    const { kind, taken = 0 } = content;
    this.#underWay -= taken;
    this.bufferedAmount -= taken;
    if (kind === "opened") this.#open();
    else if (kind === "frames") this.#frames(content, buffers);
    else if (kind === "close") this.#end(content);
    if (taken > 0) this.#flush();
  }

  #open(): void {
    if (this.readyState !== CONNECTING) return;
    this.readyState = OPEN;
    this.#emit(new Event("open"));
  }

  #frames({ number, texts = [] }: Message, buffers: ArrayBuffer[]): void {
    if (number !== this.#expected++) {
      // Jupyter's server drops messages that come too fast. The link connects again, and resumes.
      const lost = { kind: "close", connection: this.#connection, code: 1006, reason: "messages were lost on their way" };
      this.#channel.send(lost);
      this.#end(lost);
      return;
    }
    let next = 0;
    for (const text of texts) {
      this.#arrived.push(text ?? buffers[next++] ?? new ArrayBuffer(0));
      this.#turn.port1.postMessage(0);
    }
  }

  #dispatchOne(): void {
    const frame = this.#arrived.shift();
    if (frame !== undefined && this.readyState === OPEN) {
      const data = typeof frame === "string" || this.binaryType === "arraybuffer" ? frame : new Blob([frame]);
      this.#acknowledge(sizeOf(frame));
      this.#emit(new MessageEvent("message", { data }));
    }
    if (this.#arrived.length === 0 && this.#last) this.#close(this.#last);
  }

  /** The connection ends, behind what has arrived. */
  #end(content: Message): void {
    this.#channel.forget(this.#connection);
    clearTimeout(this.#due);
    this.#last ??= content;
    this.#turn.port1.postMessage(0);
  }

  #close({ code = 1006, reason = "" }: Message): void {
    if (this.readyState === CLOSED) return;
    this.readyState = CLOSED;
    if (code === 1006) this.#emit(new Event("error"));
    this.#emit(new CloseEvent("close", { code, reason, wasClean: code !== 1006 }));
    this.#turn.port2.close();
  }

  #emit(event: Event): void {
    const listener = this[`on${event.type}` as "onopen"];
    listener?.call(this, event);
    this.dispatchEvent(event);
  }
}

function copied(data: ArrayBuffer | ArrayBufferView): ArrayBuffer {
  if (data instanceof ArrayBuffer) return data.slice(0);
  return (data.buffer as ArrayBuffer).slice(data.byteOffset, data.byteOffset + data.byteLength);
}

const sizeOf = (frame: string | ArrayBuffer): number => (typeof frame === "string" ? frame.length : frame.byteLength);

/** Lets WebSockets to the page's own server go over `channel`; others are the browser's. */
export function replaceWebSocket(channel: Channel): void {
  globalThis.WebSocket = new Proxy(globalThis.WebSocket, {
    construct: (target, [url, ...rest]: [string | URL, string?]) =>
      ownPath(url, document.baseURI) === undefined ? new target(url, ...rest) : new CommWebSocket(channel, url),
  });
}
