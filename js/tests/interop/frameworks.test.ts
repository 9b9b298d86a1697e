// @vitest-environment happy-dom
// docs/frameworks.md: its components, as a reader's build makes them, and its server.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { runInThisContext } from "node:vm";
import { type Plugin, build } from "esbuild";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { compileScript, parse } from "vue/compiler-sfc";
import { WebSocket } from "ws";

const root = join(import.meta.dirname, "../..");
const page = readFileSync(join(root, "../docs/frameworks.md"), "utf8");
const block = (language: string): string => new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "ms").exec(page)?.[1] ?? "";
const directory = mkdtempSync(join(tmpdir(), "wslink-frameworks-"));

interface Props {
  readonly url: string;
  readonly secret: string;
  readonly row: number;
}

interface Program {
  readonly element: Element;
  readonly set: (props: Props) => void;
  readonly unmount: () => void;
}

let server: ChildProcess;
let props: Props;
let program: Program | undefined;

beforeAll(async () => {
  vi.stubGlobal("WebSocket", WebSocket);
  const file = join(directory, "server.py");
  writeFileSync(file, `${block("python")}\n\napp.run(port=0)\n`);
  const env = { ...process.env, WSLINK_SECRET: "s3cret", PYTHONUNBUFFERED: "1", PYTHONPATH: join(root, "../src") };
  server = spawn(process.env.WSLINK_PYTHON ?? "python3", [file], { env, stdio: ["ignore", "pipe", "ignore"] });
  const lines = createInterface(server.stdout as NodeJS.ReadableStream);
  for await (const line of lines) {
    const [, port] = /http:\/\/[^/]*?:(\d+)/.exec(line) ?? [];
    props = { url: `ws://localhost:${port}/ws`, secret: "s3cret", row: 3 };
    if (port) break;
  }
});

afterEach(() => program?.unmount());

afterAll(() => {
  server.kill("SIGKILL");
  rmSync(directory, { recursive: true });
});

/** A program as a bundler makes it, with the component of the page as "component". */
async function built(source: string, component: string): Promise<(props: Props) => Program> {
  const found: Plugin = {
    name: "component",
    setup: (builder) => {
      builder.onResolve({ filter: /^component$/ }, () => ({ path: "component", namespace: "page" }));
      builder.onLoad({ filter: /.*/, namespace: "page" }, () => ({ contents: component, loader: "jsx", resolveDir: root }));
    },
  };
  const define = {
    "process.env.NODE_ENV": '"production"',
    __VUE_OPTIONS_API__: "true",
    __VUE_PROD_DEVTOOLS__: "false",
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false",
  };
  const stdin = { contents: source, resolveDir: root };
  const { outputFiles } = await build({ stdin, bundle: true, format: "iife", globalName: "program", jsx: "automatic", define, write: false, plugins: [found], logLevel: "error" });
  return (runInThisContext(`${outputFiles[0]?.text};program`) as { start: (props: Props) => Program }).start;
}

async function drive({ element, set }: Program): Promise<void> {
  const shown = (text: string): Promise<void> => vi.waitFor(() => expect(element.textContent).toContain(text), 10_000);
  await shown("open");
  element.querySelector("button")?.click();
  await shown("row 3, 315°");
  await shown("lit from 315");
  set({ ...props, row: 5 });
  await vi.waitFor(async () => {
    element.querySelector("button")?.click();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(element.textContent).toContain("row 5, 315°");
  }, 10_000);
  set({ ...props, secret: "wrong" });
  await shown("No link: ");
}

test("the page's React component", async () => {
  const start = await built(
    `import { createElement } from "react";
     import { createRoot } from "react-dom/client";
     import { Terrain } from "component";
     export function start(props) {
       const element = document.createElement("div");
       const root = createRoot(element);
       const set = (next) => root.render(createElement(Terrain, next));
       set(props);
       return { element, set, unmount: () => root.unmount() };
     }`,
    block("jsx"),
  );
  program = start(props);
  await drive(program);
});

test("the page's Vue component", async () => {
  const { descriptor } = parse(block("vue"));
  const { content } = compileScript(descriptor, { id: "page", inlineTemplate: true });
  const start = await built(
    `import { createApp, h, shallowRef } from "vue";
     import Terrain from "component";
     export function start(first) {
       const props = shallowRef(first);
       const app = createApp({ render: () => h(Terrain, props.value) });
       const element = document.createElement("div");
       app.mount(element);
       return { element, set: (next) => (props.value = next), unmount: () => app.unmount() };
     }`,
    content,
  );
  program = start(props);
  await drive(program);
});
