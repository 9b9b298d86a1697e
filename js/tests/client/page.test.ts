import { describe, expect, test } from "vitest";
import { UsageError } from "../../src/errors.js";
import { type Page, baseOf, defaultUrl, forgetSecret, pageSecret, socketUrl } from "../../src/client/page.js";

function storage(): Storage {
  const items = new Map<string, string>();
  return {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, item: string) => void items.set(key, item),
    removeItem: (key: string) => void items.delete(key),
  } as Storage;
}

function page(href: string): Page & { shown: string[] } {
  const shown: string[] = [];
  const history = { state: { scroll: 7 }, replaceState: (_state: unknown, _unused: string, url: string) => void shown.push(url) };
  return { location: { href }, history, sessionStorage: storage(), shown };
}

describe("the default URL", () => {
  test.each([
    ["http://localhost:8080/wslink/client.js", "ws://localhost:8080/ws"],
    ["https://hub.example/user/a/proxy/8080/wslink/client.js?v=2", "wss://hub.example/user/a/proxy/8080/ws"],
    ["file:///app/node_modules/wslink/dist/client/connect.js", "ws://page.example:81/ws"],
    ["http://page.example:81/assets/index-1234.js", "ws://page.example:81/ws"],
  ])("of the client from %s is %s", (moduleUrl, url) => {
    expect(defaultUrl(moduleUrl, page("http://page.example:81/some/page?x=1#y"))).toBe(url);
  });

  test("is that of the page where a bundler left no import.meta", () => {
    expect(defaultUrl(undefined, page("http://page.example:81/some/page"))).toBe("ws://page.example:81/ws");
    expect(() => defaultUrl(undefined, {})).toThrow(UsageError);
  });

  test("does not exist outside a page", () => {
    expect(() => defaultUrl("file:///app/index.js", {})).toThrow(UsageError);
  });

  test("may be written as http, or relative to the page", () => {
    expect(socketUrl("https://a.example/ws")).toBe("wss://a.example/ws");
    expect(socketUrl("other/ws", "http://a.example/x/y")).toBe("ws://a.example/x/other/ws");
    expect(() => socketUrl("ws")).toThrow(UsageError);
  });
});

describe("the page's secret", () => {
  const URL = "ws://a.example/ws";

  test("is taken out of the address bar and kept for reloads", () => {
    const first = page("http://a.example/app?secret=s%26t&view=3#top");
    expect(pageSecret(URL, first)).toBe("s&t");
    expect(first.shown).toEqual(["http://a.example/app?view=3#top"]);
    expect(pageSecret(URL, { ...first, location: { href: "http://a.example/app?view=3" } })).toBe("s&t");
  });

  test("is not given to another server", () => {
    const first = page("http://a.example/app?secret=s");
    pageSecret(URL, first);
    expect(pageSecret("ws://a.example/user/b/ws", { ...first, location: { href: "http://a.example/app" } })).toBeUndefined();
  });

  test("is forgotten when it is refused", () => {
    const first = page("http://a.example/app?secret=s");
    pageSecret(URL, first);
    forgetSecret(URL, first);
    expect(pageSecret(URL, { ...first, location: { href: "http://a.example/app" } })).toBeUndefined();
  });

  test("is none where there is no page, or an empty one", () => {
    expect(pageSecret(URL, {})).toBeUndefined();
    expect(pageSecret(URL, page("http://a.example/app?secret="))).toBeUndefined();
  });

  test("works where the page's storage is full", () => {
    const full = page("http://a.example/app?secret=s");
    (full.sessionStorage as Storage).setItem = () => {
      throw new DOMException("it is full", "QuotaExceededError");
    };
    expect(pageSecret(URL, full)).toBe("s");
    expect(full.shown).toEqual(["http://a.example/app"]);
  });

  test("works where the page may not use its storage", () => {
    const sandboxed = Object.defineProperty(page("http://a.example/app?secret=s"), "sessionStorage", {
      get: () => {
        throw new Error("SecurityError");
      },
    });
    expect(pageSecret(URL, sandboxed)).toBe("s");
  });
});

test("a frame without an address of its own has that of its base", () => {
  const frame = { location: { href: "about:srcdoc" }, document: { baseURI: "https://notebook.example/app/" } };
  expect(defaultUrl("https://notebook.example/app/assets/index.js", frame)).toBe("wss://notebook.example/ws");
  expect(baseOf(frame)).toBe("https://notebook.example/app/");
  expect(baseOf({ ...frame, location: { href: "about:blank" } })).toBe("https://notebook.example/app/");
  expect(baseOf({ ...frame, location: { href: "http://a.example/x" } })).toBe("http://a.example/x");
});

test("a worker, or a page, that was made from a Blob has its maker's origin", () => {
  const worker = { location: { href: "blob:https://a.example:8443/1b2c" } };
  expect(defaultUrl("blob:https://a.example:8443/1b2c", worker)).toBe("wss://a.example:8443/ws");
  expect(socketUrl("lab/ws", baseOf(worker))).toBe("wss://a.example:8443/lab/ws");
  expect(() => socketUrl("/ws", baseOf({ location: { href: "blob:null/1b2c" } }))).toThrow(UsageError);
});

test("what stands in for a page in Node, and has no address, is none", () => {
  const page = { location: { protocol: "http:" } as unknown as { href: string }, document: { baseURI: "http://a.example/" } };
  expect(baseOf(page)).toBeUndefined();
  expect(socketUrl("ws://a.example/ws", baseOf(page))).toBe("ws://a.example/ws");
});
