/** Makes an error seen that has nobody to catch it: as an uncaught one in a page, in the console elsewhere. */
export function report(error: unknown): void {
  if (typeof reportError === "function") reportError(error);
  else console.error(error);
}
