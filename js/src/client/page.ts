import { UsageError } from "../errors.js";

/** What this module uses of the page it runs in; all of it is missing in Node. */
export interface Page {
  readonly location?: { readonly href: string; readonly host?: string } | undefined;
  readonly document?: { readonly baseURI: string };
  readonly history?: { readonly state: unknown; replaceState(state: unknown, unused: string, url: string): void };
  readonly sessionStorage?: Pick<Storage, "getItem" | "setItem" | "removeItem">;
}

/**
 * The server's WebSocket: `../ws` of where it serves this client, which holds behind proxies too, or `/ws` of the page's origin.
 *
 * @param moduleUrl - where this module was loaded from; undefined in what bundlers make for script tags and CommonJS.
 * @throws UsageError outside a page.
 */
export function defaultUrl(moduleUrl: string | undefined = "", page: Page): string {
  if (withoutQuery(moduleUrl).endsWith("/wslink/client.js")) return socketUrl("../ws", moduleUrl);
  if (!page.location) throw new UsageError("connect() needs a URL outside a page");
  return socketUrl("/ws", baseOf(page));
}

/**
 * What relative URLs of a page are relative to. A frame whose text another page has given (`srcdoc`, `about:blank`) has no address of its own; that of a
 * worker, or of a page, which was made from a Blob begins with its maker's origin.
 */
export function baseOf({ location, document }: Page): string | undefined {
  const { href = "" }: { readonly href?: string } = location ?? {}; // a stand-in for a page may have none
  return href.startsWith("about:") ? document?.baseURI : href.replace(/^blob:/, "") || undefined;
}

/**
 * An absolute WebSocket URL: relative ones are resolved, and http becomes ws.
 *
 * @throws UsageError where it is none, such as "localhost:8080/ws", whose scheme would be "localhost".
 */
export function socketUrl(url: string | URL, base?: string): string {
  const absolute = parsed(url, base);
  if (absolute) absolute.protocol = absolute.protocol.replace(/^http/, "ws");
  if (absolute?.protocol !== "ws:" && absolute?.protocol !== "wss:") {
    throw new UsageError(`"${String(url)}" is not the URL of a server: it begins with ws://, wss://, http:// or https://`);
  }
  absolute.hash = "";
  return absolute.href;
}

function parsed(url: string | URL, base?: string): URL | undefined {
  try {
    return new URL(url, base);
  } catch {
    return undefined;
  }
}

/**
 * The secret in the page's own URL, `?secret=`. It is taken out of the address bar, where it would be copied, bookmarked and
 * logged, and kept for reloads of this tab.
 *
 * @param url - the server's WebSocket: several servers may share one origin.
 */
export function pageSecret(url: string, page: Page): string | undefined {
  const storage = storageOf(page);
  const given = page.location && new URL(page.location.href);
  const secret = given?.searchParams.get("secret");
  if (!given || !secret) return storage?.getItem(storageKey(url)) ?? undefined;
  try {
    storage?.setItem(storageKey(url), secret);
  } catch {
    // It is full: a reload of the page needs the secret in its URL again.
  }
  given.searchParams.delete("secret");
  page.history?.replaceState(page.history.state, "", given.href);
  return secret;
}

/** Forgets a secret that the server refused. */
export function forgetSecret(url: string, page: Page): void {
  storageOf(page)?.removeItem(storageKey(url));
}

function storageKey(url: string): string {
  return `wslink-secret ${url}`;
}

/** A page in a sandbox may not even look at its storage. */
function storageOf(page: Page): Page["sessionStorage"] {
  try {
    return page.sessionStorage;
  } catch {
    return undefined;
  }
}

function withoutQuery(url: string): string {
  return url.replace(/[?#].*/, "");
}
