import { UsageError } from "./errors.js";

/**
 * @param others - the options that remain after the known ones were removed.
 * @throws UsageError if there is one: misspelt options would have no effect.
 */
export function refuse(others: object): void {
  for (const name in others) throw new UsageError(`${name} is not an option`);
}

type Values = Readonly<Record<string, unknown>>;

/** @throws UsageError, with its name, for a value that is not `what`. */
export function must(what: string, test: (value: unknown) => boolean, values: Values): void {
  for (const [name, value] of Object.entries(values)) if (!test(value)) throw new UsageError(`${name} must be ${what}, not ${shown(value)}`);
}

function shown(value: unknown): string {
  if (Object(value) === value) return tagOf(value);
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

export function numbers(least: number, values: Values): void {
  must(`a number from ${least} on`, (value) => typeof value === "number" && value >= least, values);
}

export function isText(value: unknown): value is string {
  return typeof value === "string";
}

export function isFunction(value: unknown): boolean {
  return typeof value === "function";
}

export function functions(values: Values): void {
  must("a function", isFunction, values);
}

/** AbortSignals, of whichever frame; each may be left out. */
export function signals(values: Values): void {
  must("an AbortSignal", (value) => !value || "aborted" in Object(value), values);
}

/** Objects by whose keys something is given; each may be left out. A module is one, too. */
export function objects(values: Values): void {
  must("an object", (value) => /^(Object|Module|Undefined|Null)$/.test(tagOf(value)), values);
}

/** What kind of object a value is. An object of another frame or realm is of the same kind, while `instanceof` fails for it. */
export function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}
