/** Reports an error that no caller can catch: as an uncaught one in a page, in the console elsewhere. */
export function report(error: unknown): void {
  if (typeof reportError === "function") reportError(error);
  else console.error(error);
}
