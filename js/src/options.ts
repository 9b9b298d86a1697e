import { UsageError } from "./errors.js";

/**
 * @param others - the options that remain after the known ones were removed.
 * @throws UsageError if there is one: misspelt options would have no effect.
 */
export function refuse(others: object): void {
  for (const name in others) throw new UsageError(`${name} is not an option`);
}

/** @throws UsageError, with its name, for a value that is not a number, or below `least`. */
export function numbers(least: number, values: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (typeof value !== "number" || !(value >= least)) throw new UsageError(`${name} is ${String(value)}: a number from ${least} on`);
  }
}
