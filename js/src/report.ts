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
