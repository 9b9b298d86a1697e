import { UsageError } from "../errors.js";

/** How a link connects again, from {@link ConnectOptions.reconnect}; all times in milliseconds. */
export interface ReconnectOptions {
  /** The longest wait before the second attempt; the first is made at once. It doubles with each attempt. Default: 5,000. */
  readonly initial?: number | undefined;
  /** The longest wait of all. Default: 9,000. */
  readonly max?: number | undefined;
  /** The link is closed for good after so long without a connection. Default: never, as with 0. */
  readonly giveUpAfter?: number | undefined;
}

/** A connection that held for less, in milliseconds, is no reason to try again at once. */
const HELD = 1000;

/** What this module uses of the page it runs in; all of it is missing in Node. */
interface Signals extends Partial<Pick<EventTarget, "addEventListener" | "removeEventListener">> {
  readonly document?: Pick<EventTarget, "addEventListener" | "removeEventListener"> & { readonly visibilityState?: string };
}

/**
 * When to try again: at once, then after a random part of a wait that doubles. With the defaults the clients of a server that was restarted are back
 * within 10 s, and no more than about a quarter of them in one second.
 */
export class Backoff {
  readonly giveUpAfter: number;
  readonly #initial: number;
  readonly #max: number;
  #attempts = 0;
  #openedAt = 0;

  /** @throws UsageError for times that are none. */
  constructor({ initial = 5000, max = 9000, giveUpAfter = Infinity }: ReconnectOptions) {
    for (const [name, value] of Object.entries({ initial, max, giveUpAfter })) {
      if (typeof value !== "number" || !(value >= 0)) throw new UsageError(`reconnect.${name} is a number of milliseconds`);
    }
    this.#initial = initial;
    this.#max = max;
    this.giveUpAfter = giveUpAfter;
  }

  /** A connection is open. */
  opened(): void {
    this.#openedAt = performance.now();
  }

  /** It has ended. */
  ended(): void {
    if (performance.now() - this.#openedAt >= Math.min(HELD, this.#initial)) this.#attempts = 0;
  }

  /** Resolves when the next attempt is due, when the page comes back to its user or its network, or when `signal` aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    const longest = this.#attempts === 0 ? 0 : Math.min(this.#initial * 2 ** (this.#attempts - 1), this.#max);
    this.#attempts += 1;
    if (longest > 0 && !signal.aborted) await interruptible(Math.random() * longest, signal);
  }
}

function interruptible(delay: number, signal: AbortSignal): Promise<void> {
  const page: Signals = globalThis;
  return new Promise((resolve) => {
    const stop = (): void => {
      clearTimeout(timer);
      page.removeEventListener?.("online", stop);
      page.document?.removeEventListener("visibilitychange", shown);
      signal.removeEventListener("abort", stop);
      resolve();
    };
    const shown = (): void => {
      if (page.document?.visibilityState !== "hidden") stop();
    };
    const timer = setTimeout(stop, delay);
    page.addEventListener?.("online", stop);
    page.document?.addEventListener("visibilitychange", shown);
    signal.addEventListener("abort", stop);
  });
}
