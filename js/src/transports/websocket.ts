import { ConnectionError } from "../errors.js";
import { importWebSocket } from "./node.js";
import { CLOSE_TIMEOUT, type OwnBytes, type Transport, type TransportEvents, type WebSocketConstructor, type WebSocketEvent, type WebSocketLike } from "./transport.js";

/** The most characters of a close's reason: a WebSocket refuses more than 123 bytes. */
const MAX_REASON = 40;

/**
 * Opens a WebSocket.
 *
 * @param signal - gives up when it aborts, with its reason.
 * @throws ConnectionError where no connection can be made.
 */
export async function openWebSocket(url: string, chosen: WebSocketConstructor | undefined, signal: AbortSignal): Promise<Transport> {
  const Constructor = chosen ?? (await findWebSocket());
  if (signal.aborted) throw signal.reason as Error;
  const name = withoutSecrets(url);
  const socket = construct(Constructor, url, name);
  socket.binaryType = "arraybuffer";
  return new Promise((resolve, reject) => {
    const abandon = (): void => {
      reject(signal.reason as Error);
      socket.close();
    };
    signal.addEventListener("abort", abandon);
    socket.addEventListener("open", () => {
      signal.removeEventListener("abort", abandon);
      resolve(new WebSocketTransport(name, socket));
    });
    // A browser gives no reason here, on purpose; implementations for Node do, and that of Node 22 ends with an error, without a close.
    const failed = ({ message, code = 1006, reason = "" }: WebSocketEvent): void => {
      reject(new ConnectionError(`cannot connect to ${name}${message ? ` (${message})` : ""}`, code, reason));
    };
    socket.addEventListener("error", failed);
    socket.addEventListener("close", failed);
  });
}

/** A page that came over https may not open `ws:`, and says so by an error of its own. */
function construct(Constructor: WebSocketConstructor, url: string, name: string): WebSocketLike {
  try {
    return new Constructor(url);
  } catch (cause) {
    throw new ConnectionError(`cannot connect to ${name} (${String(cause)})`, 1006, "", { cause });
  }
}

class WebSocketTransport implements Transport {
  readonly #socket: WebSocketLike;
  #closed: TransportEvents["closed"] = () => undefined;
  /** The code of this side's close, once it has asked for one. */
  #asked: number | undefined;

  constructor(
    readonly name: string,
    socket: WebSocketLike,
  ) {
    this.#socket = socket;
  }

  get waiting(): number | undefined {
    return this.#socket.bufferedAmount;
  }

  listen(events: TransportEvents): void {
    this.#socket.addEventListener("message", ({ data }) => {
      inTurn(() => events.frame(typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer)));
    });
    this.#closed = (code, reason) => {
      this.#closed = () => undefined;
      events.closed(code, reason);
    };
    this.#socket.addEventListener("close", ({ code = 1006, reason = "" }) => {
      // A server that is in the middle of a large message may end the connection in response to a close, without a word of its own.
      inTurn(() => this.#closed(code === 1006 ? (this.#asked ?? code) : code, reason));
    });
  }

  send(frame: Uint8Array): void {
    this.#socket.send(frame as OwnBytes);
  }

  close(code: number, reason: string): void {
    this.#asked = code;
    this.#socket.close(code, reason.slice(0, MAX_REASON));
    // Platforms wait for the close frame of the other side for up to half a minute; a released server that runs a method sends none.
    const timer = setTimeout(() => this.#closed(1006, "the server did not respond to the close"), CLOSE_TIMEOUT);
    this.#socket.addEventListener("close", () => clearTimeout(timer));
  }
}

/**
 * One event per turn of the event loop, as in browsers: a result reaches who awaits it before the publications behind it (ORD-2). Where there is a
 * `setImmediate`, as in Node and Deno, several may come in one.
 */
const inTurn = (globalThis as { setImmediate?: (run: () => void) => unknown }).setImmediate ?? ((run: () => void) => run());

async function findWebSocket(): Promise<WebSocketConstructor> {
  return (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket ?? (await importWebSocket());
}

function withoutSecrets(url: string): string {
  return url.replace(/[?#].*/, "").replace(/\/\/[^/]*@/, "//");
}
