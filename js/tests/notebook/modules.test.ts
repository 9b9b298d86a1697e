import { describe, expect, test } from "vitest";
import type { File } from "../../src/notebook/channel.js";
import { ORIGIN, ownPath } from "../../src/notebook/messages.js";
import { rewrite } from "../../src/notebook/modules.js";
import { Files } from "../../src/notebook/page.js";

const AT = `${ORIGIN}/app/main.js`;
const HEAD = `import.meta.url="${AT}";`;

describe("a module of a notebook's page", () => {
  test.each([
    ['import { a } from "./a.js";', `import { a } from "${ORIGIN}/app/a.js";`, ["app/a.js"]],
    ['export * from "../b.js"; import "/c.js"', `export * from "${ORIGIN}/b.js"; import "${ORIGIN}/c.js"`, ["b.js", "c.js"]],
    ["const d = await import('./d.js');", `const d = await import("${ORIGIN}/app/d.js");`, ["app/d.js"]],
    ['import w from "wslink";', `import w from "${ORIGIN}/wslink/client.js";`, ["wslink/client.js"]],
    ['import t from "https://cdn.example/t.js"; import p from "plain";', 'import t from "https://cdn.example/t.js"; import p from "plain";', []],
    ["import(name); // import './no.js'\nconst s = \"import './no.js'\";", "import(name); // import './no.js'\nconst s = \"import './no.js'\";", []],
    ['console.log(import.meta.url, import.meta.resolve("./x"))', 'console.log(import.meta.url, import.meta.resolve("./x"))', []],
  ])("%s", (source, result, paths) => {
    const { source: made, imports } = rewrite(source, AT, new Map([["wslink", `${ORIGIN}/wslink/client.js`]]));
    expect(made).toBe(HEAD + result);
    expect(imports.map((url) => ownPath(url))).toEqual(paths);
  });

  test.each([
    [`${ORIGIN}/a%20b.js?v=1#x`, "a b.js"],
    [ORIGIN.replace("https", "wss") + "/ws", "ws"],
    ["other/x.js", "other/x.js"],
    ["https://elsewhere.example/x.js", undefined],
    ["http://[", undefined],
  ])("the path of %s is %s", (url, path) => {
    expect(ownPath(url)).toBe(path);
  });
});

test("a style sheet of a notebook's page names blobs in place of its files, and of no others", async () => {
  const read: string[] = [];
  const files = new Files({
    read: (path: string): Promise<File> => {
      read.push(path);
      const body = new TextEncoder().encode(path).buffer;
      return Promise.resolve({ status: path.includes("missing") ? 404 : 200, type: path.endsWith(".css") ? "text/css" : "image/png", body });
    },
  });
  const css = '@import "more.css"; a { background: url(a.png), url("../b.png"), url(missing.png), url(data:x), url(https://x.example/c.png) } b { src: url(a.png) }';
  const made = await files.inlined(css, `${ORIGIN}/style/main.css`);
  expect(read.sort()).toEqual(["b.png", "style/a.png", "style/missing.png", "style/more.css"]);
  expect(made.match(/blob:/g)).toHaveLength(4);
  expect(made).toContain("url(missing.png), url(data:x), url(https://x.example/c.png)");
});
