import { inform } from "../../report.js";
import type { UnaskedMessage } from "../../wire/messages.js";
import type { Feature } from "./feature.js";

/** The type of its message (EXT-4). */
export const PROGRESS = 7;

/** Is told how far a call has come, in whatever values its method reports; what it throws, or rejects with, is reported. */
export type OnProgress = (value: unknown) => unknown;

/** Tells callers how far their calls have come (PRG). */
export class Progress implements Feature {
  readonly name = "progress";

  readonly #calls = new Map<string, OnProgress>();

  /** Tells of the call `id`, until `over` has settled. */
  watch(id: string, onProgress: OnProgress, over: Promise<unknown>): void {
    this.#calls.set(id, onProgress);
    const forget = (): unknown => this.#calls.delete(id);
    over.then(forget, forget);
  }

  /** What comes of a call that is over, or asked for none, is ignored: it may have been given up meanwhile. */
  receive(message: UnaskedMessage): boolean {
    if (message.kind !== "extension" || message.type !== PROGRESS) return false;
    const [, id, value] = message.items;
    inform(this.#calls.get(id as string), value);
    return true;
  }
}
