/** A `Uint8Array` whose buffer is no SharedArrayBuffer; before TypeScript 5.7 they have no type of their own. */
export type OwnBytes = ReturnType<Uint8Array["slice"]>;

/** What a connection reports to its owner. Calls come one at a time, frames in the order in which they were sent. */
export interface TransportEvents {
  /** A frame arrived. The receiver may keep it. */
  frame(frame: Uint8Array | string): void;
  /** The connection is closed; called once, and nothing after it. */
  closed(code: number, reason: string): void;
}

/** An open connection that carries frames both ways: a WebSocket, a Jupyter comm, a pair of queues. */
export interface Transport {
  /** Where it leads, for error messages; without secrets. */
  readonly name: string;
  /** The bytes that were sent and have not left yet; undefined where that is not known. Large messages wait for it to go down. */
  readonly waiting?: number | undefined;
  /** Begins to deliver; called once, and before the first `send`: a server is silent until hello. */
  listen(events: TransportEvents): void;
  /** Sends a binary frame, after those before it. Does nothing once the connection is closing. */
  send(frame: Uint8Array): void;
  /** Begins to close; `closed` follows. */
  close(code: number, reason: string): void;
}

/** What a WebSocket's events may hold. */
export interface WebSocketEvent {
  readonly data?: unknown;
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
}

/** The part of the standard WebSocket that this package uses. */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount?: number;
  send(data: OwnBytes): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: "open" | "message" | "close" | "error", listener: (event: WebSocketEvent) => void): void;
}

/** Opens a connection, as the standard WebSocket's constructor does. */
export type WebSocketConstructor = new (url: string) => WebSocketLike;

/** How long this side waits for the server to close too, in milliseconds. */
export const CLOSE_TIMEOUT = 2000;
