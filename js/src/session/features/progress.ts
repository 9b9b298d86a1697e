import { inform } from "../../report.js";
import type { UnaskedMessage } from "../../wire/messages.js";
import type { Feature } from "./feature.js";

/** The type of its message (EXT-4). */
export const PROGRESS = 7;

/** Receives the progress of a call: whatever its method reports. What it throws, or rejects with, is reported. */
export type OnProgress = (value: unknown) => unknown;

/** Reports the progress of calls to their callers (PRG). */
export class Progress implements Feature {
  readonly name = "progress";

  readonly #calls = new Map<string, OnProgress>();

  /** Reports the progress of the call `id`, until `over` has settled. */
  watch(id: string, onProgress: OnProgress, over: Promise<unknown>): void {
    this.#calls.set(id, onProgress);
    const forget = (): unknown => this.#calls.delete(id);
    over.then(forget, forget);
  }

  /** Progress of a call that is over, or has not asked for it, is ignored: it may have been cancelled in the meantime. */
  receive(message: UnaskedMessage): boolean {
    if (message.kind !== "extension" || message.type !== PROGRESS) return false;
    const [, id, value] = message.items;
    void inform(this.#calls.get(id as string), value);
    return true;
  }
}
