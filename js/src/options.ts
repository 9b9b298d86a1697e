import { UsageError } from "./errors.js";

/**
 * @param others - options that are left once all that there are have been taken.
 * @throws UsageError where there is one: misspelt ones would have no effect.
 */
export function refuse(others: object): void {
  for (const name in others) throw new UsageError(`${name} is not an option`);
}

/** @throws UsageError, with its name, for a value that is no number, or below `least`. */
export function numbers(least: number, values: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (typeof value !== "number" || !(value >= least)) throw new UsageError(`${name} is ${String(value)}: a number from ${least} on`);
  }
}
