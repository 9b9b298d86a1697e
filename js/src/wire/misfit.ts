import { UsageError } from "../errors.js";

/** The most characters of a place that an error names: a value that contains itself has one without end. */
const LONG_PATH = 200;

/** A value that cannot be sent, on its way out of the containers that it is in. */
export class Misfit extends Error {
  path = "";

  constructor(
    readonly why: string,
    cause?: unknown,
  ) {
    super(why, { cause });
  }

  asUsageError(): UsageError {
    const path = this.path.length > LONG_PATH ? `${this.path.slice(0, LONG_PATH)}...` : this.path;
    return new UsageError(`${path.replace(/^\./, "")}: ${this.why}`, { cause: this.cause });
  }
}

/** The error of a value inside a container: it gets to know the place. What is no misfit was thrown by a getter, for example. */
export function inside(step: string, error: unknown): Misfit {
  const misfit = error instanceof Misfit ? error : new Misfit(String(error), error);
  misfit.path = step + misfit.path;
  return misfit;
}

/** Half a surrogate pair, in place of which an encoder of UTF-8 writes another character. */
export const HALF = /[\ud800-\udfff]/u;

/** Whether a map may have `key` as a key (MSG-8). */
export function isKey(key: unknown): key is string | number | boolean | null {
  return key === null || /^(string|number|bigint|boolean)$/.test(typeof key);
}

export function className(value: object): string {
  return (value as { readonly constructor?: { readonly name?: string } }).constructor?.name ?? "Object";
}
