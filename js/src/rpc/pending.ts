import { TimeoutError } from "../errors.js";
import { type WaitOptions, giveUpAfter } from "./deadline.js";

interface Pending {
  readonly method: string;
  readonly resolve: (result: unknown) => void;
  readonly reject: (reason: unknown) => void;
  readonly disarm: () => void;
}

/** Outgoing calls that wait for their responses. */
export class PendingCalls {
  readonly #pending = new Map<string, Pending>();
  readonly #givenUp: (id: string) => void;

  /** @param givenUp - called with the id of a call that times out, or whose signal aborts. */
  constructor(givenUp: (id: string) => void) {
    this.#givenUp = givenUp;
  }

  /** Waits for the response to the call `id`. */
  wait(id: string, method: string, options: WaitOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const late = (timeout: number): Error => new TimeoutError(method, timeout);
      const disarm = giveUpAfter(options, late, (reason) => {
        if (this.reject(id, () => reason)) this.#givenUp(id);
      });
      this.#pending.set(id, { method, resolve, reject, disarm });
    });
  }

  /** The pending calls, in the order in which they were made. */
  get ids(): readonly string[] {
    return [...this.#pending.keys()];
  }

  has(id: string): boolean {
    return this.#pending.has(id);
  }

  /** Settles a call; false if no call with that id is pending. */
  resolve(id: string, result: unknown): boolean {
    const call = this.#take(id);
    call?.resolve(result);
    return call !== undefined;
  }

  /** Fails a call with the error that `reason` creates for its method; false if no call with that id is pending. */
  reject(id: string, reason: (method: string) => unknown): boolean {
    const call = this.#take(id);
    call?.reject(reason(call.method));
    return call !== undefined;
  }

  /** Fails all pending calls, in the order in which they were made. */
  rejectAll(reason: unknown): void {
    for (const id of this.ids) this.reject(id, () => reason);
  }

  #take(id: string): Pending | undefined {
    const call = this.#pending.get(id);
    call?.disarm();
    this.#pending.delete(id);
    return call;
  }
}
