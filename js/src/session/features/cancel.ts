import type { Feature, FeatureHost } from "./feature.js";

/** The type of its message (EXT-4). */
const CANCEL = 6;

/** Tells the server of calls that their caller has given up, where it wants to know (CAN). */
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

  /** The caller of `id` waits no longer. A call of which the server does not have all is not sent, or not to its end; of others it is told. */
  giveUp(id: string): void {
    if (this.#active) this.#host.withdraw(id, () => this.#host.urge([CANCEL, id]));
  }

  end(): void {
    this.#active = false;
  }
}
