import type { UnaskedMessage } from "../../wire/messages.js";
import { turn } from "../turn.js";
import { isCount } from "../numbering.js";
import type { Feature, FeatureHost } from "./feature.js";
import { CREDIT } from "./stream.js";

/** Types of messages (EXT-4). Their frames are not acknowledged (FLOW-1). */
const ACKNOWLEDGEMENT = 1;
const SETTLED = 2;

/** When an acknowledgement is due: bytes received, and milliseconds since the previous one and at the latest (FLOW-3). */
const DUE_BYTES = 65_536;
const DUE_AFTER = 4;
const DUE_WITHIN = 25;

/** The same for a server that only keeps messages until they are acknowledged (RES-5). */
const RESUME_BYTES = 2 ** 20;
const RESUME_WITHIN = 1000;

/** The longest delay of an acknowledgement that the server is believed, in milliseconds. */
const MAX_HELD = 60_000;

/** Publications of one subscription that callbacks have handled. */
interface Settled {
  count: number;
  duration: number;
}

/** Which messages have arrived, for acknowledgements (RES-5); empty if they do not include that. */
export interface Arrivals {
  readonly position: readonly unknown[];
}

/** Acknowledges what has arrived, and reports what callbacks have handled, if the server wants that (FLOW, RES-5). */
export class Flow implements Feature {
  readonly name = "flow";

  readonly #host: FlowHost;
  readonly #arrivals: Arrivals | undefined;
  readonly #settled = new Map<number, Settled>();
  /** Subscriptions with settled publications that are not yet reported. */
  readonly #unsaid = new Set<number>();
  /** Whether the server accepted `flow`, and whether it wants acknowledgements. */
  #active = false;
  #acknowledges = false;
  #received = 0;
  #acknowledged = 0;
  #receivedAt = 0;
  #saidAt = 0;
  #settledAt = 0;
  #reporting = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(host: FlowHost, arrivals?: Arrivals) {
    this.#host = host;
    this.#arrivals = arrivals;
  }

  negotiated(accepted: boolean): void {
    this.#active = accepted;
    this.#settled.clear();
    this.#unsaid.clear();
    this.resumed();
  }

  /** The session continues over a new connection. Reports on the previous one may not have arrived (RES-2). */
  resumed(): void {
    this.#acknowledges = this.#active || (this.#arrivals?.position.length ?? 0) > 0;
    this.#received = this.#acknowledged = 0;
    if (!this.#active) return;
    this.#host.startFlow();
    for (const subscription of this.#settled.keys()) this.#unsaid.add(subscription);
    if (this.#unsaid.size > 0) this.#say(false);
  }

  disconnected(): void {
    this.#acknowledges = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** A frame has arrived; `kind` is the type of the extension's message in it, if it is one. */
  count(size: number, kind: number | undefined): void {
    if (!this.#acknowledges || kind === ACKNOWLEDGEMENT || kind === SETTLED || kind === CREDIT) return;
    this.#received += size;
    this.#receivedAt = performance.now();
    this.#say(this.#received - this.#acknowledged >= (this.#active ? DUE_BYTES : RESUME_BYTES));
  }

  /** The callback of a subscription has handled a publication, in `duration` milliseconds. */
  settle(subscription: number, duration: number): void {
    if (!this.#active) return;
    const settled = this.#settled.get(subscription) ?? { count: 0, duration: 0 };
    this.#settled.set(subscription, { count: settled.count + 1, duration });
    this.#unsaid.add(subscription);
    if (!this.#acknowledges) return;
    // Sent at once, not delayed by the acknowledgement of the frame itself, which was just sent: the server waits for it.
    const wait = this.#settledAt + DUE_AFTER - performance.now();
    clearTimeout(this.#timer);
    if (wait <= 0) this.#flush();
    else this.#timer = setTimeout(() => this.#flush(), wait);
  }

  /** A subscription has ended, and the server knows it. */
  forget(subscription: number): void {
    this.#settled.delete(subscription);
    this.#unsaid.delete(subscription);
  }

  receive(message: UnaskedMessage): boolean {
    if (!this.#acknowledges || message.kind !== "extension" || message.type !== ACKNOWLEDGEMENT) return false;
    const [, total, held, number, missing, asks] = message.items;
    if (isCount(total) && isCount(held)) this.#host.acknowledged(total, Math.min(held, MAX_HELD));
    if (isCount(number) && Array.isArray(missing) && missing.every(isCount)) this.#host.received(number, missing);
    if (asks === true && performance.now() - this.#saidAt >= DUE_AFTER) this.#flush(true);
    return true;
  }

  /** Requests an immediate acknowledgement, as a sign of life (RES-11). */
  ask(): void {
    if (this.#acknowledges) this.#acknowledge(true);
  }

  /** Reports to the server now, if it is time or `due`; soon otherwise. */
  #say(due: boolean): void {
    if (!this.#acknowledges) return;
    if (due) this.#flush();
    else if (this.#active && performance.now() - this.#saidAt >= DUE_AFTER) this.#soon();
    else this.#timer ??= setTimeout(() => this.#flush(), this.#active ? DUE_WITHIN : RESUME_WITHIN);
  }

  /** Reports when what has arrived together with this frame is counted, too: to a busy page, that is much. */
  #soon(): void {
    if (this.#reporting) return;
    this.#reporting = true;
    turn(() => {
      this.#reporting = false;
      if (this.#acknowledges) this.#flush();
    });
  }

  #flush(asked = false): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#saidAt = performance.now();
    if (asked || this.#received > this.#acknowledged) this.#acknowledge();
    if (this.#unsaid.size > 0) this.#settledAt = this.#saidAt;
    for (const subscription of this.#unsaid) {
      const { count = 0, duration = 0 } = this.#settled.get(subscription) ?? {};
      this.#host.notify([SETTLED, subscription, count, Math.round(duration)]);
    }
    this.#unsaid.clear();
  }

  #acknowledge(asks?: true): void {
    this.#acknowledged = this.#received;
    const held = this.#received > 0 ? Math.round(performance.now() - this.#receivedAt) : 0;
    this.#host.notify([ACKNOWLEDGEMENT, this.#received, held, ...(this.#arrivals?.position ?? []), ...(asks ? [asks] : [])]);
  }
}

type FlowHost = Pick<FeatureHost, "notify" | "startFlow" | "acknowledged" | "received">;
