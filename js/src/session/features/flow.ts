import type { UnaskedMessage } from "../../wire/messages.js";
import type { Feature, FeatureHost } from "./feature.js";

/** Types of messages (EXT-4). Their frames are not acknowledged (FLOW-1). */
const ACKNOWLEDGEMENT = 1;
const SETTLED = 2;

/** When an acknowledgement is due: bytes received, and milliseconds since the one before and at the latest (FLOW-3). */
const DUE_BYTES = 65_536;
const DUE_AFTER = 4;
const DUE_WITHIN = 25;

/** The longest that the server is believed to have held an acknowledgement back, in milliseconds. */
const MAX_HELD = 60_000;

/** Publications of one subscription that callbacks have dealt with. */
interface Settled {
  count: number;
  duration: number;
}

/** Acknowledges what has arrived, and what callbacks have dealt with, where the server wants to know (FLOW). */
export class Flow implements Feature {
  readonly name = "flow";

  readonly #host: Pick<FeatureHost, "notify" | "startFlow" | "acknowledged">;
  readonly #settled = new Map<number, Settled>();
  /** Subscriptions whose settled publications the server has not been told of. */
  readonly #unsaid = new Set<number>();
  #active = false;
  #received = 0;
  #acknowledged = 0;
  #receivedAt = 0;
  #saidAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(host: Pick<FeatureHost, "notify" | "startFlow" | "acknowledged">) {
    this.#host = host;
  }

  negotiated(accepted: boolean): void {
    this.#active = accepted;
    if (accepted) this.#host.startFlow();
  }

  /** A frame has arrived; `kind` is the type of the extension's message in it, if it is one. */
  count(size: number, kind: number | undefined): void {
    if (!this.#active || kind === ACKNOWLEDGEMENT || kind === SETTLED) return;
    this.#received += size;
    this.#receivedAt = performance.now();
    this.#say(this.#received - this.#acknowledged >= DUE_BYTES);
  }

  /** The callback of a subscription has dealt with a publication, in `duration` milliseconds. */
  settle(subscription: number, duration: number): void {
    if (!this.#active) return;
    const settled = this.#settled.get(subscription) ?? { count: 0, duration: 0 };
    this.#settled.set(subscription, { count: settled.count + 1, duration });
    this.#unsaid.add(subscription);
    this.#say(false);
  }

  /** A subscription has ended; the server counts no more of it. */
  forget(subscription: number): void {
    this.#settled.delete(subscription);
    this.#unsaid.delete(subscription);
  }

  receive(message: UnaskedMessage): boolean {
    if (!this.#active || message.kind !== "extension" || message.type !== ACKNOWLEDGEMENT) return false;
    const [, total, held] = message.items;
    if (isCount(total) && isCount(held)) this.#host.acknowledged(total, Math.min(held, MAX_HELD));
    return true;
  }

  end(): void {
    this.#active = false;
    clearTimeout(this.#timer);
  }

  /** Tells the server now, if it is time or `due`; soon otherwise. */
  #say(due: boolean): void {
    if (due || performance.now() - this.#saidAt >= DUE_AFTER) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), DUE_WITHIN);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#active) return;
    this.#saidAt = performance.now();
    if (this.#received > this.#acknowledged) {
      this.#acknowledged = this.#received;
      this.#host.notify([ACKNOWLEDGEMENT, this.#received, Math.round(this.#saidAt - this.#receivedAt)]);
    }
    for (const subscription of this.#unsaid) {
      const { count = 0, duration = 0 } = this.#settled.get(subscription) ?? {};
      this.#host.notify([SETTLED, subscription, count, Math.round(duration)]);
    }
    this.#unsaid.clear();
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
