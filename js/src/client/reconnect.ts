import { numbers, refuse } from "../options.js";
import { LONGEST_DELAY } from "../rpc/deadline.js";

/** How a link reconnects, for {@link ConnectOptions.reconnect}. All times are in milliseconds. */
export interface ReconnectOptions {
  /** The longest wait before the second attempt; the first is made at once, unless the server announced that it stops. It doubles with each attempt. Default: 5,000. */
  readonly initial?: number | undefined;
  /** The upper bound of that wait. Default: 9,000. */
  readonly max?: number | undefined;
  /** The time without a connection after which the link closes for good. Default: never, as with 0. */
  readonly giveUpAfter?: number | undefined;
}

/** After a connection that lasted for less than this, in milliseconds, the next attempt is not made at once. */
const HELD = 1000;

/** The close codes of a server that is stopping, restarting, or overloaded: all of its clients are about to reconnect. */
const STOPPED = [1001, 1012, 1013];

/** What this module uses of the page it runs in; all of it is missing in Node. */
interface Signals extends Events {
  readonly document?: Events & { readonly visibilityState?: string };
}

/** Stand-ins for a page, as programs in Node have them, may know no events. */
type Events = Partial<Pick<EventTarget, "addEventListener" | "removeEventListener">>;

/**
 * When to reconnect: at once, unless the server announced that it stops, then after random waits whose upper bound doubles. The lower bound is 0 at first,
 * and later half of the upper one. With the defaults, all clients of a restarted server are back within 10 s, and at most a quarter of them in any second.
 */
export class Backoff {
  readonly giveUpAfter: number;
  readonly #initial: number;
  readonly #max: number;
  #attempts = 0;
  #openedAt = 0;

  /** @throws UsageError for invalid times, and for unknown options. */
  constructor({ initial = 5000, max = 9000, giveUpAfter = Infinity, ...others }: ReconnectOptions) {
    refuse(others);
    numbers(0, { initial, max, giveUpAfter });
    this.#initial = initial;
    this.#max = max;
    this.giveUpAfter = giveUpAfter;
  }

  /** A connection was opened. */
  opened(): void {
    this.#openedAt = performance.now();
  }

  /** The connection has ended with this close code. */
  ended(code: number): void {
    if (performance.now() - this.#openedAt >= Math.min(HELD, this.#initial)) this.#attempts = 0;
    if (STOPPED.includes(code)) this.#attempts ||= 1;
  }

  /** Resolves when the next attempt is due, when the page comes back to its user or its network, or when `signal` aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    const longest = this.#attempts === 0 ? 0 : Math.min(this.#initial * 2 ** (this.#attempts - 1), this.#max, LONGEST_DELAY);
    const shortest = this.#attempts > 1 ? longest / 2 : 0; // otherwise, clients that start together would stay together
    this.#attempts += 1;
    if (longest > 0 && !signal.aborted) await interruptible(shortest + Math.random() * (longest - shortest), signal);
  }
}

function interruptible(delay: number, signal: AbortSignal): Promise<void> {
  const page: Signals = globalThis;
  return new Promise((resolve) => {
    const stop = (): void => {
      clearTimeout(timer);
      page.removeEventListener?.("online", stop);
      page.document?.removeEventListener?.("visibilitychange", shown);
      signal.removeEventListener("abort", stop);
      resolve();
    };
    const shown = (): void => {
      if (page.document?.visibilityState !== "hidden") stop();
    };
    const timer = setTimeout(stop, delay);
    page.addEventListener?.("online", stop);
    page.document?.addEventListener?.("visibilitychange", shown);
    signal.addEventListener("abort", stop);
  });
}
