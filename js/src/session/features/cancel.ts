import type { Feature, FeatureHost } from "./feature.js";

/** The type of its message (EXT-4). */
const CANCEL = 6;

/** Cancels calls on the server, if it supports that (CAN). */
export class Cancel implements Feature {
  readonly name = "cancel";

  readonly #host: Pick<FeatureHost, "acceptEnds" | "withdraw" | "urge">;
  #active = false;

  constructor(host: Pick<FeatureHost, "acceptEnds" | "withdraw" | "urge">) {
    this.#host = host;
  }

  negotiated(accepted: boolean): void {
    this.#active = accepted;
    this.resumed();
  }

  resumed(): void {
    if (this.#active) this.#host.acceptEnds();
  }

  /** The caller of `id` no longer waits. A call that is not completely sent is withdrawn or aborted; for others, the server is notified. */
  giveUp(id: string): void {
    if (this.#active) this.#host.withdraw(id, () => this.#host.urge([CANCEL, id]));
  }

  end(): void {
    this.#active = false;
  }
}
