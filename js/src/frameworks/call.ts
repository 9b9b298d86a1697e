import type { Link } from "../client/link.js";
import { UsageError } from "../errors.js";
import type { CallOptions } from "../session/session.js";

/** A method's calls as a component sees them: the newest one counts. */
export interface CallStatus<T> {
  readonly pending: boolean;
  /** Of the last call that succeeded; it stays while the next one is pending. */
  readonly result: T | undefined;
  /** Of the newest call. */
  readonly error: unknown;
  /** What the newest call's method reported last. */
  readonly progress: unknown;
}

/**
 * Calls the method. Resolves to the result; to undefined where the call fails or is given up: the error is in the status, and nothing rejects.
 * Earlier calls go on.
 */
export type Caller<T> = (
  args?: readonly unknown[],
  kwargs?: Readonly<Record<string, unknown>>,
  options?: Omit<CallOptions, "onProgress">,
) => Promise<T | undefined>;

export const IDLE: CallStatus<never> = { pending: false, result: undefined, error: undefined, progress: undefined };

/** What makes calls, and shows how the newest one stands, until the signal aborts: that gives up all of them. */
export function caller<T>(link: Link | undefined, method: string, signal: AbortSignal, show: (status: CallStatus<T>) => void): Caller<T> {
  let status: CallStatus<T> = IDLE;
  let newest = 0;
  const set = (number: number, change: Partial<CallStatus<T>>): void => {
    if (number === newest && !signal.aborted) show((status = { ...status, ...change }));
  };
  show(IDLE);
  return async (args, kwargs, options) => {
    const number = ++newest;
    set(number, { pending: true, error: undefined, progress: undefined });
    try {
      if (!link) throw new UsageError("there is no link yet");
      const either = options?.signal ? AbortSignal.any([signal, options.signal]) : signal;
      const onProgress = (progress: unknown): void => set(number, { progress });
      const result = await link.call<T>(method, args, kwargs, { ...options, signal: either, onProgress });
      set(number, { pending: false, result });
      return result;
    } catch (error) {
      set(number, { pending: false, error });
      return undefined;
    }
  };
}
