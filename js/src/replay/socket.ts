// A WebSocket that leads to a recording.
import type { Pace } from "./player.js";
import { ReplayServer } from "./server.js";
import type { Tape } from "./tape.js";

const [CONNECTING, OPEN, CLOSING, CLOSED] = [0, 1, 2, 3] as const;

type Listener = ((event: Event) => unknown) | null;

/** The part of the standard WebSocket that clients use. Its server is a recording, once that is loaded. */
export class ReplaySocket extends EventTarget {
  static readonly CONNECTING = CONNECTING;
  static readonly OPEN = OPEN;
  static readonly CLOSING = CLOSING;
  static readonly CLOSED = CLOSED;
  readonly CONNECTING = CONNECTING;
  readonly OPEN = OPEN;
  readonly CLOSING = CLOSING;
  readonly CLOSED = CLOSED;
  readonly bufferedAmount = 0;
  readonly protocol = "";
  readonly extensions = "";
  binaryType: BinaryType = "blob";
  onopen: Listener = null;
  onmessage: Listener = null;
  onerror: Listener = null;
  onclose: Listener = null;
  readyState: 0 | 1 | 2 | 3 = CONNECTING;
  readonly url: string;
  #server: ReplayServer | undefined;
  readonly #frames: Uint8Array<ArrayBuffer>[] = [];
  /** One message in each turn of the event loop, as of a real one: timers would wait for milliseconds. */
  readonly #turns = new MessageChannel();

  constructor(url: string, tape: Promise<Tape>, pace: Pace) {
    super();
    this.url = url;
    this.#turns.port1.onmessage = () => this.#deliver();
    tape.then(
      (loaded) => this.#open(loaded, pace),
      (error: unknown) => {
        console.error("the recording cannot be played:", error);
        this.#emit("error", new Event("error"));
        this.#end(1006, "the recording cannot be played");
      },
    );
  }

  /** Publications that it has been sent. */
  get position(): number {
    return this.#server?.position ?? 0;
  }

  send(data: string | ArrayBuffer | ArrayBufferView): void {
    if (this.readyState === CONNECTING) throw new DOMException("it is connecting still", "InvalidStateError");
    if (this.readyState !== OPEN) return;
    if (typeof data === "string") {
      this.#end(1003, "a recording is played to clients of protocol version 2");
      return;
    }
    // A copy: who sends it may change it afterwards, and nothing comes back before `send` has returned.
    const frame = ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice() : new Uint8Array(data.slice(0));
    queueMicrotask(() => this.#server?.receive(frame));
  }

  close(code = 1000, reason = ""): void {
    if (this.readyState >= CLOSING) return;
    this.readyState = CLOSING;
    setTimeout(() => this.#end(code, reason));
  }

  #open(tape: Tape, pace: Pace): void {
    if (this.readyState !== CONNECTING) return;
    this.readyState = OPEN;
    this.#server = new ReplayServer(tape, pace, (frame) => {
      this.#frames.push(frame);
      this.#turns.port2.postMessage(null);
    });
    this.#emit("open", new Event("open"));
  }

  #deliver(): void {
    const frame = this.#frames.shift();
    if (!frame || this.readyState !== OPEN) return;
    const data = this.binaryType === "arraybuffer" ? frame.buffer : new Blob([frame]);
    this.#emit("message", new MessageEvent("message", { data }));
  }

  #end(code: number, reason: string): void {
    if (this.readyState === CLOSED) return;
    this.readyState = CLOSED;
    this.#server?.stop();
    this.#turns.port1.close();
    this.#emit("close", new CloseEvent("close", { code, reason, wasClean: code !== 1006 }));
  }

  #emit(name: "open" | "message" | "error" | "close", event: Event): void {
    this[`on${name}`]?.(event);
    this.dispatchEvent(event);
  }
}
