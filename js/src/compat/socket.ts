import { UsageError } from "../errors.js";
import { report } from "../report.js";
import type { OwnBytes } from "../transports/transport.js";

/** The part of a WebSocket that the compatibility API uses, so that others can stand in for it: {@link SocketFactory}. */
export interface SocketLike {
  readonly url?: string;
  /** 1 while messages can be sent. */
  readonly readyState: number;
  binaryType?: string;
  readonly bufferedAmount?: number;
  onopen: ((event: unknown) => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code?: number; readonly reason?: string }) => void) | null;
  onerror: ((event: unknown) => void) | null;
  send(data: OwnBytes): void;
  close(): void;
}

/** What a page that cannot open a WebSocket, such as one inside Jupyter, has as `globalThis.WSLINK`. */
export interface SocketFactory {
  createWebSocket(url: string): SocketLike;
}

/** The `readyState` of a socket that can send. */
export const OPEN = 1;

interface Platform {
  readonly WebSocket?: new (url: string) => SocketLike;
  readonly WSLINK?: SocketFactory;
}

/**
 * Opens a WebSocket, or has the page's `WSLINK` open one.
 *
 * @throws where there is neither, and what they throw.
 */
export function createSocket(url: string, proxied: boolean): SocketLike {
  if (!/^wss?:/.test(url)) throw new UsageError(`"${url}" is not the URL of a WebSocket`);
  const { WebSocket, WSLINK } = globalThis as Platform;
  if (proxied) {
    if (!WSLINK) throw new UsageError("wsProxy needs globalThis.WSLINK.createWebSocket");
    return WSLINK.createWebSocket(url);
  }
  if (!WebSocket) throw new UsageError("there is no WebSocket here: set globalThis.WebSocket");
  return new WebSocket(url);
}

/** Hands on the frames that arrive at a socket, in their order. */
export function listen(socket: SocketLike, receive: (frame: Uint8Array | string) => void): void {
  socket.binaryType = "arraybuffer";
  socket.onmessage = frameReader(receive);
}

/** Takes the message events of a socket. Stand-ins deliver a Blob whatever `binaryType` says. */
export function frameReader(receive: (frame: Uint8Array | string) => void): (event: { readonly data: unknown }) => void {
  let reading: Promise<void> | undefined;
  return ({ data }) => {
    const frame = toFrame(data);
    if (!reading && !(frame instanceof Promise)) return receive(frame);
    // A Blob that cannot be read is lost, and nothing behind it.
    const read: Promise<void> = Promise.all([frame, reading])
      .then(([bytes]) => receive(bytes))
      .catch(report)
      .then(() => {
        if (reading === read) reading = undefined;
      });
    reading = read;
  };
}

function toFrame(data: unknown): Uint8Array | string | Promise<Uint8Array> {
  if (typeof data === "string") return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  // Not by `instanceof`: Jupyter's comes from another window.
  if (typeof (data as Partial<Blob>).arrayBuffer === "function") return (data as Blob).arrayBuffer().then((bytes) => new Uint8Array(bytes));
  return new Uint8Array(data as ArrayBuffer);
}
