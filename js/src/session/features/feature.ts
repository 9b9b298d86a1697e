import { type ConnectionError, ErrorCode, ProtocolError } from "../../errors.js";
import type { ServerMessage, UnaskedMessage } from "../../wire/messages.js";
import type { Callback, Handler } from "../callbacks.js";

/** What a feature can use of the session that it extends. */
export interface FeatureHost {
  /**
   * Makes the system call `wslink.<name>` with one argument (MSG-3); resolves to its result.
   *
   * @param retry - repeats it in a new session. Default: it rejects with a ConnectionError then.
   */
  system(name: string, argument: object, retry?: boolean): Promise<unknown>;
  /** Sends a small message of an extension ahead of everything that is waiting (EXT-4); the server does not acknowledge it. */
  notify(items: readonly unknown[]): void;
  /** Like `notify`, for a message that the server acknowledges. */
  urge(items: readonly unknown[]): void;
  /**
   * Sends a message of any size when it is its turn; rejects if it cannot be sent.
   *
   * @param key - identifies it for `withdraw`.
   * @param isWanted - called when it is the message's turn; if it returns false, the message is not sent at all.
   */
  post(key: string, message: unknown, isWanted: () => boolean): Promise<void>;
  /**
   * Stops sending a message, from its next chunk on (CAN-2).
   *
   * @param sent - called if all of it has been sent: already, or in the end because it cannot be aborted.
   */
  withdraw(id: string, sent: () => void): void;
  /** Allows both sides to abort messages from now on (CAN-3). */
  acceptEnds(): void;
  /** Sends at the rate of the server's acknowledgements from now on (FLOW-4). */
  startFlow(): void;
  /** The server has received `total` bytes, and delayed the acknowledgement for `held` milliseconds (FLOW-2). */
  acknowledged(total: number, held: number): void;
  /** The server has received all messages up to `number`, except for those that are missing (RES-5). */
  received(number: number, missing: readonly number[]): void;
  /** Encodes values. */
  readonly encoder: { arrays: boolean };
}

/** Makes a call, with keys of its message that extensions add. */
export type MakeCall = (id: string, keys?: object) => Promise<unknown>;

/** What features may wrap, by its kind. */
export interface Arounds {
  /** A call that is made, by its method. */
  readonly call: MakeCall;
  /** The decoding of a complete message; the name is empty. */
  readonly read: (bytes: Uint8Array) => ServerMessage;
  /** A subscriber's callback, by its topic. */
  readonly callback: Callback;
  /** The handler of a method. */
  readonly handler: Handler;
}

/** An extension of the protocol. Hello announces it by its name, and it is in use if the server accepts it (EXT-1 to EXT-3). */
export interface Feature {
  readonly name: string;
  /** A session begins: the server has accepted hello, with or without this feature. Also called for a new session after a connection has ended. */
  negotiated?(accepted: boolean): void;
  /** The connection has ended. Nothing can be sent until `negotiated` or `resumed`, or at all if `end` follows. */
  disconnected?(): void;
  /** The session continues over a new connection (RES-6). */
  resumed?(): void;
  /** Returns a function to call instead of `inner`, which it calls in turn. */
  around?<K extends keyof Arounds>(kind: K, name: string, inner: Arounds[K]): Arounds[K];
  /** Handles a message from the server that is not a response; false if it belongs to another feature. */
  receive?(message: UnaskedMessage): boolean;
  /** The session has ended, with the error with which everything pending rejects. */
  end?(error: ConnectionError): void;
}

/** Creates a feature for one session. */
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

  /** Wraps `inner`; the first feature is the innermost. */
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

  /** Passes a message to the feature that it belongs to; others are ignored.
   *
   * @throws ProtocolError for a message of an extension that is not in use.
   */
  receive(message: UnaskedMessage): void {
    for (const feature of this.#all) if (feature.receive?.(message)) return;
    if (message.kind !== "extension" && message.kind !== "call") return;
    throw new ProtocolError(ErrorCode.invalidRequest, `the server sent a message of no extension that is in use (${message.kind === "call" ? "call" : message.type}, EXT-4)`);
  }

  /** Passes on what has happened to the connection, or with which error the session has ended. */
  tell(event: "disconnected" | "resumed"): void;
  tell(event: "end", error: ConnectionError): void;
  tell(event: "disconnected" | "resumed" | "end", error?: ConnectionError): void {
    for (const feature of this.#all) feature[event]?.(error as ConnectionError);
  }
}
