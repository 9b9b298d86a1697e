import { type ConnectionError, ErrorCode, ProtocolError } from "../../errors.js";
import type { UnaskedMessage } from "../../wire/messages.js";

/** What a feature may use of the session that it extends. */
export interface FeatureHost {
  /** Makes the system call `wslink.<name>` with one argument (MSG-3); resolves to its result. */
  system(name: string, argument: object): Promise<unknown>;
  /** Sends a small message of an extension ahead of everything that waits (EXT-4); the server does not acknowledge it. */
  notify(items: readonly unknown[]): void;
  /** As `notify`, for what the server acknowledges. */
  urge(items: readonly unknown[]): void;
  /** Sends no more of a call's message, from the next chunk on; false where all of it has been sent (CAN-2). */
  withdraw(id: string): boolean;
  /** Either side may end a message before it is whole, from now on (CAN-3). */
  acceptEnds(): void;
  /** Sends by what the server acknowledges, from now on (FLOW-4). */
  startFlow(): void;
  /** The server has received `total` bytes, and held that back for `held` milliseconds (FLOW-2). */
  acknowledged(total: number, held: number): void;
  /** How this side writes values. */
  readonly encoder: { arrays: boolean };
}

/** An extension of the protocol. Hello announces it by its name, and it is in use where the server accepts it (EXT-1 to EXT-3). */
export interface Feature {
  readonly name: string;
  /** The server has accepted hello, and this feature or not. */
  negotiated?(accepted: boolean): void;
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

  /** Passes on what the server accepted; returns those names that were announced. */
  negotiated(accepted: readonly string[]): readonly string[] {
    for (const feature of this.#all) feature.negotiated?.(accepted.includes(feature.name));
    return accepted.filter((name) => this.names.includes(name));
  }

  /** Passes a message on to the feature that it belongs to; what belongs to none is ignored.
   *
   * @throws ProtocolError for a message of an extension that is not in use.
   */
  receive(message: UnaskedMessage): void {
    for (const feature of this.#all) if (feature.receive?.(message)) return;
    if (message.kind !== "extension") return;
    throw new ProtocolError(ErrorCode.invalidRequest, `the server sent a message of type ${message.type}, of no extension that is in use (EXT-4)`);
  }

  end(error: ConnectionError): void {
    for (const feature of this.#all) feature.end?.(error);
  }
}
