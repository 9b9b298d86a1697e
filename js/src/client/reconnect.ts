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

/** A connection that held for less, in milliseconds, is no reason to try again at once. */
const HELD = 1000;

/** Codes of a server that stops, is restarted, or has too much to do: all of its clients are about to return. */
const STOPPED = [1001, 1012, 1013];

/** What this module uses of the page it runs in; all of it is missing in Node. */
interface Signals extends Events {
  readonly document?: Events & { readonly visibilityState?: string };
}

/** Stand-ins for a page, as programs in Node have them, may know no events. */
type Events = Partial<Pick<EventTarget, "addEventListener" | "removeEventListener">>;

/**
 * When to try again: at once, unless the server said that it stops, then after waits that double, of which a random part is waited: all of it at first,
 * half of it later. With the defaults the clients of a server that was restarted are back within 10 s, and no more than a quarter of them in one second.
 */
export class Backoff {
  readonly giveUpAfter: number;
  readonly #initial: number;
  readonly #max: number;
  #attempts = 0;
  #openedAt = 0;

  /** @throws UsageError for times that are none, and for options that there are not. */
  constructor({ initial = 5000, max = 9000, giveUpAfter = Infinity, ...others }: ReconnectOptions) {
    refuse(others);
    numbers(0, { initial, max, giveUpAfter });
    this.#initial = initial;
    this.#max = max;
    this.giveUpAfter = giveUpAfter;
  }

  /** A connection is open. */
  opened(): void {
    this.#openedAt = performance.now();
  }

  /** It has ended, with that close code. */
  ended(code: number): void {
    if (performance.now() - this.#openedAt >= Math.min(HELD, this.#initial)) this.#attempts = 0;
    if (STOPPED.includes(code)) this.#attempts ||= 1;
  }

  /** Resolves when the next attempt is due, when the page comes back to its user or its network, or when `signal` aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    const longest = this.#attempts === 0 ? 0 : Math.min(this.#initial * 2 ** (this.#attempts - 1), this.#max, LONGEST_DELAY);
    const shortest = this.#attempts > 1 ? longest / 2 : 0; // those who begin together would else meet again and again
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
