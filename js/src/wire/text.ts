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
