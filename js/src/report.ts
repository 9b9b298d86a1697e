/** Reports an error that no caller can catch: as an uncaught one in a page, in the console elsewhere. */
export function report(error: unknown): void {
  if (typeof reportError === "function") reportError(error);
  else console.error(error);
}

/** Calls a function of the application without waiting for it: what it throws, or rejects with, is reported. */
export function inform<T>(callback: ((value: T) => unknown) | undefined, value: T): void {
  try {
    const result = callback?.(value) as PromiseLike<unknown> | null | undefined;
    if (typeof result?.then === "function") void Promise.resolve(result).then(undefined, report);
  } catch (error) {
    report(error);
  }
}

/** `text` without halves of surrogate pairs, which cannot be sent. */
export function wellFormed(text: string): string {
  return text.replace(/[\ud800-\udfff]/gu, "\ufffd");
}

/** The most characters of an exception's text that are sent (ERR-2). */
const MAX_TEXT = 4096;

/** The text of what was thrown, as it can be sent. */
export function textOf(error: unknown): string {
  try {
    return wellFormed(String(error).slice(0, MAX_TEXT));
  } catch {
    return "an error that cannot be shown";
  }
}
