import { TimeoutError } from "../errors.js";
import { type WaitOptions, giveUpAfter } from "./deadline.js";

interface Pending {
  readonly method: string;
  readonly resolve: (result: unknown) => void;
  readonly reject: (reason: unknown) => void;
  readonly disarm: () => void;
}

/** The calls that wait for an answer. */
export class Calls {
  readonly #pending = new Map<string, Pending>();

  /** Waits for the answer to the call `id`. */
  wait(id: string, method: string, options: WaitOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const late = (timeout: number): Error => new TimeoutError(method, timeout);
      const disarm = giveUpAfter(options, late, (reason) => this.reject(id, () => reason));
      this.#pending.set(id, { method, resolve, reject, disarm });
    });
  }

  /** Settles a call. An answer that nobody waits for, or no longer, is of no interest: false. */
  resolve(id: string, result: unknown): boolean {
    const call = this.#take(id);
    call?.resolve(result);
    return call !== undefined;
  }

  /** Fails a call with what `reason` makes of its method; false where nobody waits for it. */
  reject(id: string, reason: (method: string) => unknown): boolean {
    const call = this.#take(id);
    call?.reject(reason(call.method));
    return call !== undefined;
  }

  /** Fails every call, in the order in which they were made. */
  rejectAll(reason: unknown): void {
    for (const id of [...this.#pending.keys()]) this.reject(id, () => reason);
  }

  #take(id: string): Pending | undefined {
    const call = this.#pending.get(id);
    call?.disarm();
    this.#pending.delete(id);
    return call;
  }
}
