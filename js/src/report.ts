/** Reports an error that no caller can catch: as an uncaught one in a page, in the console elsewhere. */
export function report(error: unknown): void {
  if (typeof reportError === "function") reportError(error);
  else console.error(error);
}

/**
 * Calls a function of the application without waiting for it: what it throws, or rejects with, is reported.
 *
 * @returns if it returned a promise, one that resolves when that has settled.
 */
export function inform<Args extends unknown[]>(callback: ((...args: Args) => unknown) | undefined, ...args: Args): Promise<unknown> | undefined {
  try {
    const result = callback?.(...args) as PromiseLike<unknown> | null | undefined;
    if (typeof result?.then === "function") return Promise.resolve(result).then(undefined, report);
  } catch (error) {
    report(error);
  }
  return undefined;
}
