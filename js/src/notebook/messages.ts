/** What a page's frame and the notebook around it send each other, and the notebook the kernel: docs/notebooks.md. */
export interface Message {
  readonly kind: string;
  readonly view?: string;
  readonly connection?: number;
  readonly request?: number;
  readonly path?: string;
  readonly number?: number;
  readonly texts?: readonly (string | null)[];
  readonly taken?: number;
  readonly code?: number;
  readonly reason?: string;
  readonly status?: number;
  readonly type?: string;
}

/** A message with its buffers, as it goes through the port between the frame and the notebook. */
export interface Parcel {
  readonly content: Message;
  readonly buffers: ArrayBuffer[];
}

/** Where the page believes that it was loaded from. No request ever goes there: the name is one that nobody has (RFC 2606). */
export const ORIGIN = "https://notebook.wslink.invalid";

/** The path on {@link ORIGIN} that a URL names, or undefined for a URL of another origin. */
export function ownPath(url: string | URL, base = `${ORIGIN}/`): string | undefined {
  try {
    const { protocol, host, pathname } = new URL(url, base);
    const own = new URL(ORIGIN);
    return host === own.host && /^(https?|wss?):$/.test(protocol) ? decodeURIComponent(pathname.slice(1)) : undefined;
  } catch {
    return undefined;
  }
}
