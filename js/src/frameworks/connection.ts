import { type ConnectOptions, connect } from "../client/connect.js";
import type { LaunchedSession } from "../client/launch.js";
import type { Link, LinkState } from "../client/link.js";
import { ConnectionError } from "../errors.js";
import { isFunction, must } from "../options.js";

/** What a component connects to: as of `connect`; none is the server that the page came from. */
export type LinkTarget = string | URL | LaunchedSession | undefined;

/** Options of `connect`; the component's life is the signal. */
export type UseLinkOptions = Omit<ConnectOptions, "signal">;

/** A link as a component sees it. */
export interface LinkStatus {
  /** Undefined until there has been a connection. */
  readonly link: Link | undefined;
  /** `connecting` until there is a link, or an error; then that of the link. */
  readonly state: "connecting" | LinkState;
  /** Why there is no link, or why it is closed; undefined while it is in order. */
  readonly error: unknown;
}

export const CONNECTING: LinkStatus = { link: undefined, state: "connecting", error: undefined };

/** @throws UsageError for what is no link, such as all that useLink() returns. */
export function isLink(link: Link): void {
  must("a link", (value) => isFunction((value as { readonly subscribe?: unknown }).subscribe), { link });
}

/** What tells a target from another: components write sessions anew with each rendering. */
export function keyOf(target: LinkTarget): string | undefined {
  return JSON.stringify(target);
}

/**
 * Connects, and shows what becomes of it, until the function that it returns is called.
 *
 * React's StrictMode mounts, unmounts and mounts again at once: nothing is opened before that is over.
 */
export function hold(target: LinkTarget, options: UseLinkOptions | undefined, show: (status: LinkStatus) => void): () => void {
  const end = new AbortController();
  const { signal } = end;
  const tell = (error: unknown, link?: Link): void => {
    if (!signal.aborted) show({ link, state: link?.state ?? "closed", error });
  };
  show(CONNECTING);
  const opening = Promise.resolve().then(() => connect(target as string, { ...options, signal }));
  opening
    .then(async (link) => {
      link.addEventListener("statechange", () => tell(undefined, link));
      tell(undefined, link);
      const { code, reason } = await link.closed;
      tell(new ConnectionError("the link is closed", code, reason), link);
    })
    .catch(tell);
  return () => {
    end.abort();
    opening.then((link) => link.close(), () => undefined);
  };
}
