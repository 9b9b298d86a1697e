// A server that does what a test tells it to, right or wrong. It shares no code with the client: @msgpack/msgpack writes what it sends.
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { decode, encode } from "@msgpack/msgpack";
import { type WebSocket, WebSocketServer } from "ws";

export const CLIENT_ID = `c${"0".repeat(32)}`;

export interface Envelope {
  readonly id: string;
  readonly method: string;
  readonly args: unknown[];
  readonly kwargs?: Record<string, unknown>;
}

export type Answer = Readonly<Record<string, unknown>>;

/** A frame of protocol version 2. */
export function frame(body: Uint8Array, { id = 1, offset = 0, total = body.length } = {}): Uint8Array {
  const bytes = Buffer.alloc(12 + body.length);
  bytes.writeUInt32LE(id, 0);
  bytes.writeUInt32LE(offset, 4);
  bytes.writeUInt32LE(total, 8);
  bytes.set(body, 12);
  return bytes;
}

let lastId = 0;

export function message(envelope: object, id = ++lastId): Uint8Array {
  return frame(encode({ wslink: "1.0", ...envelope }, { useBigInt64: true }), { id });
}

export const WELCOME = { clientID: CLIENT_ID, maxMsgSize: 4_194_304 };
export const WELCOME_WITH_FEATURES = { ...WELCOME, features: ["subscribe", "arrays"], server: { name: "scripted", version: "1.0" } };

/** One client's connection, on the server's side. */
export class Connection {
  /** Every frame that came from the client. */
  readonly frames: { readonly data: Uint8Array; readonly binary: boolean }[] = [];
  readonly #calls: Envelope[] = [];
  #waiting: ((call: Envelope) => void) | undefined;
  /** Messages of extensions that have arrived (EXT-4). */
  readonly extensions: unknown[][] = [];
  /** Bytes of frames that have arrived, those of messages of types 1, 2 and 5 left out (FLOW-1). */
  counted = 0;
  /** The number of the last message that was sent, where the session can be resumed (RES-2). */
  number: number | undefined;
  /** The numbers of calls that have arrived. */
  readonly numbers: number[] = [];
  readonly #partial = new Map<number, Uint8Array[]>();

  constructor(readonly socket: WebSocket) {
    socket.on("message", (data, binary) => {
      const bytes = new Uint8Array(data as Buffer);
      this.frames.push({ data: bytes, binary });
      if (binary) this.#take(bytes);
    });
    socket.on("error", () => undefined);
  }

  #take(bytes: Uint8Array): void {
    const header = new DataView(bytes.buffer, bytes.byteOffset);
    const id = header.getUint32(0, true);
    const chunks = this.#partial.get(id) ?? [];
    this.#partial.set(id, chunks);
    this.counted += bytes.length;
    if (bytes.length === 12) {
      // An empty chunk: the message is dropped (G2-7).
      this.#partial.delete(id);
      return;
    }
    chunks.push(bytes.subarray(12));
    if (chunks.reduce((sum, { length }) => sum + length, 0) < header.getUint32(8, true)) return;
    this.#partial.delete(id);
    const call = decode(new Uint8Array(Buffer.concat(chunks)), { useBigInt64: true }) as Envelope | unknown[];
    if (Array.isArray(call)) {
      this.extensions.push(call);
      if (call[0] === 1 || call[0] === 2 || call[0] === 5) this.counted -= bytes.length;
      return;
    }
    this.numbers.push(id);
    if (!this.#waiting) this.#calls.push(call);
    else this.#waiting(call);
    this.#waiting = undefined;
  }

  #numbered(envelope: object): Uint8Array {
    return this.number === undefined ? message(envelope) : message(envelope, ++this.number);
  }

  /** The next message from the client. */
  next(): Promise<Envelope> {
    const call = this.#calls.shift();
    return call ? Promise.resolve(call) : new Promise((resolve) => (this.#waiting = resolve));
  }

  send(data: Uint8Array | string): void {
    this.socket.send(data);
  }

  answer({ id }: Envelope, result: unknown): void {
    this.send(this.#numbered({ id, result }));
  }

  fail({ id }: Envelope, error: unknown): void {
    this.send(this.#numbered({ id, error }));
  }

  publish(topic: string, payload: unknown, more: object = {}): void {
    this.send(this.#numbered({ id: `publish:${topic}:0`, result: payload, ...more }));
  }

  /** Sends a message of an extension. */
  extension(...items: unknown[]): void {
    this.send(frame(encode(items), { id: this.number === undefined ? ++lastId : 0 }));
  }

  /** Makes what `send` sends arrive at once, in one packet. */
  together(send: () => void): void {
    const { _socket: socket } = this.socket as unknown as { _socket: Socket };
    socket.cork();
    send();
    socket.uncork();
  }

  /** Answers the client's hello. */
  async welcome(result: unknown = WELCOME_WITH_FEATURES): Promise<Envelope> {
    const hello = await this.next();
    this.counted = 0;
    this.answer(hello, result);
    return hello;
  }

  /** Answers the hello of a client whose session can be resumed; what it is sent from then on has numbers above `sent`. */
  async resumable(resume: object = {}, { sent = 0, features = ["subscribe", "arrays", "resume"] } = {}): Promise<Envelope> {
    const hello = await this.next();
    this.counted = 0;
    const granted = { token: "0".repeat(32), epoch: "one", window: 60, resumed: false, ...resume };
    this.send(message({ id: hello.id, result: { ...WELCOME_WITH_FEATURES, features, resume: granted } }, 0));
    this.number = sent;
    return hello;
  }
}

export class ScriptedServer {
  readonly #server: WebSocketServer;
  readonly #connections: Connection[] = [];
  #waiting: ((connection: Connection) => void) | undefined;

  /** @param port - default: a free one. */
  constructor(port = 0) {
    this.#server = new WebSocketServer({ port, host: "127.0.0.1", perMessageDeflate: false });
    this.#server.on("connection", (socket) => {
      const connection = new Connection(socket);
      if (!this.#waiting) this.#connections.push(connection);
      else this.#waiting(connection);
      this.#waiting = undefined;
    });
  }

  async url(): Promise<string> {
    if (!this.#server.address()) await once(this.#server, "listening");
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}/ws`;
  }

  /** The next client to connect. */
  connection(): Promise<Connection> {
    const connection = this.#connections.shift();
    return connection ? Promise.resolve(connection) : new Promise((resolve) => (this.#waiting = resolve));
  }

  async stop(): Promise<void> {
    for (const client of this.#server.clients) client.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
