import { withHost } from "../launcher/host.js";

/** What this directory uses of the page it runs in; all of it is missing in Node. */
interface Page {
  readonly location?: { readonly protocol: string; readonly host: string; readonly hostname: string; readonly pathname?: string };
  readonly document?: { readonly baseURI?: string };
}

/** The launcher that a page asks by default: `paraview/` beside it; there is none beside a page whose address is no place, such as `about:blank`. */
export function defaultSessionManagerUrl(): string {
  const base = (globalThis as Page).document?.baseURI;
  if (!base) return "";
  try {
    return new URL("paraview/", base).href;
  } catch {
    return `${base}paraview/`; // as in released versions, which do not look at it
  }
}

/** The server of a page for which no launcher responds: `ws` beside it. */
export function defaultSessionUrl(): string {
  const { location } = globalThis as Page;
  if (!location) return "";
  const directory = (location.pathname ?? "").replace(/\/[^/]*\.html?$/, "").replace(/\/+$/, "");
  return `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${directory}/ws`;
}

/** A URL in which USE_HOSTNAME and USE_HOST stand for the page's. */
export function withPageHost(url: string): string {
  const { location } = globalThis as Page;
  return location ? withHost(url, location) : url;
}
