import { type ConnectionError, ErrorCode, ProtocolError } from "../../errors.js";
import type { ServerMessage, UnaskedMessage } from "../../wire/messages.js";
import type { Callback, Handler } from "../callbacks.js";

/** What a feature may use of the session that it extends. */
export interface FeatureHost {
  /**
   * Makes the system call `wslink.<name>` with one argument (MSG-3); resolves to its result.
   *
   * @param retry - makes it again in a session that begins anew. Default: it rejects with a ConnectionError then.
   */
  system(name: string, argument: object, retry?: boolean): Promise<unknown>;
  /** Sends a small message of an extension ahead of everything that waits (EXT-4); the server does not acknowledge it. */
  notify(items: readonly unknown[]): void;
  /** As `notify`, for what the server acknowledges. */
  urge(items: readonly unknown[]): void;
  /**
   * Sends a message of whatever size when it is its turn; rejects where it cannot be sent.
   *
   * @param key - what `withdraw` knows it by.
   * @param isWanted - asked when its turn has come; where it says no, the message is not sent at all.
   */
  post(key: string, message: unknown, isWanted: () => boolean): Promise<void>;
  /**
   * Sends no more of a message, from the next chunk on (CAN-2).
   *
   * @param sent - called where all of it has been sent, now or at last because it cannot be ended.
   */
  withdraw(id: string, sent: () => void): void;
  /** Either side may end a message before it is whole, from now on (CAN-3). */
  acceptEnds(): void;
  /** Sends by what the server acknowledges, from now on (FLOW-4). */
  startFlow(): void;
  /** The server has received `total` bytes, and held that back for `held` milliseconds (FLOW-2). */
  acknowledged(total: number, held: number): void;
  /** The server has all messages up to `number` but those that are missing (RES-5). */
  received(number: number, missing: readonly number[]): void;
  /** How this side writes values. */
  readonly encoder: { arrays: boolean };
}

/** Makes a call, with keys of its message that extensions add. */
export type MakeCall = (id: string, keys?: object) => Promise<unknown>;

/** What features may stand around, by what it is called. */
export interface Arounds {
  /** A call that is made, by its method. */
  readonly call: MakeCall;
  /** The reading of a message that is whole; the name is empty. */
  readonly read: (bytes: Uint8Array) => ServerMessage;
  /** A subscriber's callback, by its topic. */
  readonly callback: Callback;
  /** The handler of a method. */
  readonly handler: Handler;
}

/** An extension of the protocol. Hello announces it by its name, and it is in use where the server accepts it (EXT-1 to EXT-3). */
export interface Feature {
  readonly name: string;
  /** A session begins: the server has accepted hello, and this feature or not. Again after a connection has ended, where the server begins anew. */
  negotiated?(accepted: boolean): void;
  /** The connection has ended. Nothing can be sent until `negotiated` or `resumed`; or any more, where `end` follows. */
  disconnected?(): void;
  /** The session goes on over a new connection (RES-6). */
  resumed?(): void;
  /** What to call in place of `inner`, which it calls in turn. */
  around?<K extends keyof Arounds>(kind: K, name: string, inner: Arounds[K]): Arounds[K];
  /** Takes a message of the server that responds to no call; false where it belongs to another feature. */
  receive?(message: UnaskedMessage): boolean;
  /** The session has ended, with the error that everything that waits rejects with. */
  end?(error: ConnectionError): void;
}

/** Makes a feature for one session. */
export type FeatureFactory = (host: FeatureHost) => Feature;

/** The features of one session, from which hello negotiates. */
export class Features {
  readonly #all: readonly Feature[];

  constructor(host: FeatureHost, factories: readonly FeatureFactory[]) {
    this.#all = factories.map((make) => make(host));
  }

  /** What hello announces. */
  get names(): readonly string[] {
    return this.#all.map(({ name }) => name);
  }

  /** `inner` with what stands around it; the first feature is the innermost. */
  around<K extends keyof Arounds>(kind: K, name: string, inner: Arounds[K]): Arounds[K] {
    return this.#all.reduce((next, feature) => feature.around?.(kind, name, next) ?? next, inner);
  }

  /** Passes on what the server accepted. */
  negotiated(accepted: readonly string[]): void {
    for (const feature of this.#all) feature.negotiated?.(accepted.includes(feature.name));
  }

  /** Those of `accepted` that were announced. */
  common(accepted: readonly string[]): readonly string[] {
    return accepted.filter((name) => this.names.includes(name));
  }

  /** Passes a message on to the feature that it belongs to; what belongs to none is ignored.
   *
   * @throws ProtocolError for a message of an extension that is not in use.
   */
  receive(message: UnaskedMessage): void {
    for (const feature of this.#all) if (feature.receive?.(message)) return;
    if (message.kind !== "extension" && message.kind !== "call") return;
    const what = message.kind === "call" ? "call" : `message of type ${message.type}`;
    throw new ProtocolError(ErrorCode.invalidRequest, `the server sent a ${what}, of no extension that is in use (EXT-4)`);
  }

  disconnected(): void {
    for (const feature of this.#all) feature.disconnected?.();
  }

  resumed(): void {
    for (const feature of this.#all) feature.resumed?.();
  }

  end(error: ConnectionError): void {
    for (const feature of this.#all) feature.end?.(error);
  }
}
