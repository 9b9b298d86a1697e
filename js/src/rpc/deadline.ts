import { numbers, refuse, signals } from "../options.js";

/** Options of operations that may take a while. */
export interface WaitOptions {
  /** Gives up after this many milliseconds, with a TimeoutError; 0 or Infinity waits indefinitely. */
  readonly timeout?: number | undefined;
  /** Gives up when it aborts, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The longest delay that timers support, in milliseconds; longer ones would fire at once. */
export const LONGEST_DELAY = 2 ** 31 - 1;

/** All that waits for one signal is one listener of it: Node 20 takes more than ten for a leak, and says so. */
class Callbacks extends Set<() => void> {
  handleEvent(): void {
    for (const callback of this) callback();
  }
}

const waiting = new WeakMap<AbortSignal, Callbacks>();

/** Calls `callback` when the signal aborts; returns a function that disarms it. */
function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const callbacks = waiting.get(signal) ?? new Callbacks();
  waiting.set(signal, callbacks.add(callback));
  signal.addEventListener("abort", callbacks);
  return () => {
    callbacks.delete(callback);
    if (callbacks.size === 0) signal.removeEventListener("abort", callbacks);
  };
}

/**
 * Calls `giveUp` with a reason when the time is over or the signal aborts, whichever comes first.
 *
 * @param late - creates the reason for a timeout.
 * @returns a function that disarms it.
 * @throws UsageError for a timeout that is not a number, or negative, for what is not a signal, and for unknown options.
 */
export function giveUpAfter(
  { timeout = 0, signal, ...others }: WaitOptions,
  late: (timeout: number) => Error,
  giveUp: (reason: unknown) => void,
): () => void {
  refuse(others);
  numbers(0, { timeout });
  signals({ signal });
  const timer = timeout > 0 && timeout <= LONGEST_DELAY ? setTimeout(() => giveUp(late(timeout)), timeout) : undefined;
  const disarm = signal && onAbort(signal, () => giveUp(signal.reason));
  return () => {
    clearTimeout(timer);
    disarm?.();
  };
}
