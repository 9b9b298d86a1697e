import type { Link } from "../client/link.js";
import { UsageError } from "../errors.js";
import { signals } from "../options.js";
import type { CallOptions } from "../session/session.js";
import { isLink } from "./connection.js";

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

/** Has calls go over that link, to that method, until the function that it returns is called: that gives up those under way. */
type Begin<T> = (link: Link | undefined, method: string, show: (status: CallStatus<T>) => void) => () => void;

/** What makes the calls of one component, and shows how the newest one stands. */
export function calls<T>(): readonly [begin: Begin<T>, call: Caller<T>] {
  let current: Caller<T> | undefined;
  let newest: object | undefined;
  const begin: Begin<T> = (link, method, show) => {
    const end = new AbortController();
    let status: CallStatus<T> = IDLE;
    current = async (args, kwargs, options) => {
      const own = (newest = {});
      const set = (change: Partial<CallStatus<T>>): void => {
        if (own === newest) show((status = { ...status, ...change }));
      };
      set({ pending: true, error: undefined, progress: undefined });
      try {
        if (!link) throw new UsageError("there is no link");
        isLink(link);
        signals({ signal: options?.signal });
        const signal = options?.signal ? AbortSignal.any([end.signal, options.signal]) : end.signal;
        const result = await link.call<T>(method, args, kwargs, { ...options, signal, onProgress: (progress) => set({ progress }) });
        set({ pending: false, result });
        return result;
      } catch (error) {
        set({ pending: false, error });
        return undefined;
      }
    };
    return () => {
      current = newest = undefined;
      end.abort();
    };
  };
  // In Vue, the components inside are mounted first: what they call waits until this one is, in the same step.
  return [begin, async (...args) => (current ?? (await Promise.resolve(), current))?.(...args)];
}
