import type { Channel } from "./channel.js";
import { type Message, ownPath } from "./messages.js";

/** Bytes that the kernel has not taken yet beyond which no more are sent: transport/comm.py, WINDOW. */
const WINDOW = 2 ** 20;

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
    this.#flush();
  }

  close(code = 1000, reason = ""): void {
    if (this.readyState >= CLOSING) return;
    this.readyState = CLOSING;
    while (this.#waiting.length > 0) this.#sendOne();
    this.#channel.send({ kind: "close", connection: this.#connection, code, reason });
    this.#take({ kind: "close", code, reason }, []);
  }

  #flush(): void {
    while (this.#waiting.length > 0 && this.#underWay < WINDOW) this.#sendOne();
  }

  #sendOne(): void {
    const frame = this.#waiting.shift();
    if (frame === undefined) return;
    this.#underWay += sizeOf(frame);
    const isText = typeof frame === "string";
    const content = { kind: "frames", connection: this.#connection, number: this.#sent++, texts: [isText ? frame : null] };
    this.#channel.send(content, isText ? [] : [frame]);
  }

  #take(content: Message, buffers: ArrayBuffer[]): void {
    const { kind, size = 0 } = content;
    if (kind === "opened") this.#open();
    else if (kind === "frames") this.#frames(content, buffers);
    else if (kind === "close") this.#end(content);
    else if (kind === "taken") {
      this.#underWay -= size;
      this.bufferedAmount -= size;
      this.#flush();
    }
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
      this.#taken += sizeOf(frame);
      this.#emit(new MessageEvent("message", { data }));
      if (this.#arrived.length === 0 || this.#taken > WINDOW / 4) {
        this.#channel.send({ kind: "taken", connection: this.#connection, size: this.#taken });
        this.#taken = 0;
      }
    }
    if (this.#arrived.length === 0 && this.#last) this.#close(this.#last);
  }

  /** The connection ends, behind what has arrived. */
  #end(content: Message): void {
    this.#channel.forget(this.#connection);
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
