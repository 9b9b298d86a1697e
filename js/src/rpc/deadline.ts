import { numbers, refuse } from "../options.js";

/** Options of operations that may take a while. */
export interface WaitOptions {
  /** Gives up after this many milliseconds, with a TimeoutError; 0 or Infinity waits indefinitely. */
  readonly timeout?: number | undefined;
  /** Gives up when it aborts, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The longest delay that timers support, in milliseconds; longer ones would fire at once. */
export const LONGEST_DELAY = 2 ** 31 - 1;

/**
 * Calls `giveUp` with a reason when the time is over or the signal aborts, whichever comes first.
 *
 * @param late - creates the reason for a timeout.
 * @returns a function that disarms it.
 * @throws UsageError for a timeout that is not a number, or negative, and for unknown options.
 */
export function giveUpAfter(
  { timeout = 0, signal, ...others }: WaitOptions,
  late: (timeout: number) => Error,
  giveUp: (reason: unknown) => void,
): () => void {
  refuse(others);
  numbers(0, { timeout });
  const aborted = (): void => giveUp(signal?.reason);
  const timer = timeout > 0 && timeout <= LONGEST_DELAY ? setTimeout(() => giveUp(late(timeout)), timeout) : undefined;
  signal?.addEventListener("abort", aborted, { once: true });
  return () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", aborted);
  };
}
