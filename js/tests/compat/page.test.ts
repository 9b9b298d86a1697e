// Modules of the released API look at the page as they are loaded: no page may keep them from that.
import { afterEach, expect, test, vi } from "vitest";

afterEach(() => vi.unstubAllGlobals());

async function defaults(baseURI: string | undefined, location: object | undefined): Promise<[string, string]> {
  vi.resetModules();
  vi.stubGlobal("document", { baseURI });
  vi.stubGlobal("location", location);
  const { DEFAULT_SESSION_MANAGER_URL, DEFAULT_SESSION_URL } = await import("../../src/compat/SmartConnect.js");
  return [DEFAULT_SESSION_MANAGER_URL, DEFAULT_SESSION_URL];
}

const at = (href: string): object => {
  const { protocol, host, hostname, pathname } = new URL(href);
  return { protocol, host, hostname, pathname, href };
};

test.each<[string | undefined, object | undefined, string, string]>([
  ["http://a:81/app/index.html", at("http://a:81/app/index.html"), "http://a:81/app/paraview/", "ws://a:81/app/ws"],
  ["https://a/", at("https://a/"), "https://a/paraview/", "wss://a/ws"],
  ["file:///app/index.html", at("file:///app/index.html"), "file:///app/paraview/", "ws:///app/ws"],
  ["about:blank", at("about:blank"), "about:blankparaview/", "ws://blank/ws"],
  ["data:text/html,x", at("data:text/html,x"), "data:text/html,xparaview/", "ws://text/html,x/ws"],
  ["blob:http://a/1-2", at("blob:http://a/1-2"), "blob:http://a/1-2paraview/", "ws://http://a/1-2/ws"],
  [undefined, { href: "http://a/" }, "", expect.stringContaining("/ws") as string],
  [undefined, undefined, "", ""],
])("of a page at %s", async (base, location, manager, session) => {
  expect(await defaults(base, location)).toEqual([manager, session]);
});
