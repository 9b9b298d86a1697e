// A page that traces, in Chromium: one trace from a click to the callback that draws what came of it, through a server that traces, too.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { ROOT, launch } from "./demo.js";

const { build } = createRequire(join(ROOT, "js", "package.json"))("esbuild");

const SERVER = `
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from wslink import App

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
app = App()
frames = app.topic("view.frame", delivery="latest")

@app.method("view.rotate")
def rotate(angle: float) -> None:
    frames.publish({"angle": angle})

@app.method("test.spans")
def spans() -> list:
    return [
        {"name": one.name, "trace": f"{one.context.trace_id:032x}", "id": f"{one.context.span_id:016x}",
         "parent": f"{one.parent.span_id:016x}" if one.parent else "", "begin": one.start_time / 1e6, "end": one.end_time / 1e6}
        for one in exporter.get_finished_spans()
    ]

app.run(port=0, content="www", traces=True)
`;

const PAGE = `
import * as opentelemetry from "@opentelemetry/api";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { connect, painted } from "wslink/client.js";
import { trace } from "wslink/trace";

// Context as long as code runs without a pause, as @opentelemetry/sdk-trace-web's StackContextManager has it.
let active = opentelemetry.ROOT_CONTEXT;
opentelemetry.context.setGlobalContextManager({
  active: () => active,
  with(context, run, self, ...args) {
    const before = active;
    active = context;
    try { return run.apply(self, args); } finally { active = before; }
  },
  bind: (context, target) => target,
  enable() { return this; },
  disable() { return this; },
});
const exporter = new InMemorySpanExporter();
opentelemetry.trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));

const link = await connect({ features: [trace(opentelemetry)] });
const output = document.querySelector("output");
await link.subscribe("view.frame", (frame) => {
  output.textContent = "seen from " + frame.angle;
  return painted();
}).ready;
document.querySelector("button").onclick = () => opentelemetry.trace.getTracer("page").startActiveSpan("click", async (span) => {
  await link.call("view.rotate", [30]);
  span.end();
});
const milliseconds = ([seconds, nanoseconds]) => seconds * 1e3 + nanoseconds / 1e6;
window.spans = async () => {
  const server = await link.call("test.spans");
  const page = exporter.getFinishedSpans().map((one) => ({
    name: one.name, trace: one.spanContext().traceId, id: one.spanContext().spanId, parent: one.parentSpanContext?.spanId ?? "",
    begin: milliseconds(one.startTime), end: milliseconds(one.endTime), page: true,
  }));
  return [...page, ...server];
};
document.title = "ready";
`;

/** Each span of a trace as its way up to the root. */
function paths(spans) {
  const known = new Map(spans.map((one) => [one.id, one]));
  const path = ({ name, page, parent }) => `${page ? "page" : "server"}:${name}${known.has(parent) ? ` < ${path(known.get(parent))}` : parent && " < ?"}`;
  return spans.map(path).sort();
}

test("one trace leads from a click to the callback that draws", { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "wslink-trace-"));
  const js = join(ROOT, "js");
  await build({
    stdin: { contents: PAGE, resolveDir: js }, bundle: true, format: "esm", outfile: join(folder, "www", "page.js"), logLevel: "error",
    alias: { "wslink/client.js": join(js, "dist/client/index.js"), "wslink/trace": join(js, "dist/client/trace.js") },
  });
  await writeFile(join(folder, "www", "index.html"), `<button>Rotate</button><output></output><script type="module" src="page.js"></script>`);
  await writeFile(join(folder, "server.py"), SERVER);
  const server = spawn(process.env.WSLINK_PYTHON, ["-u", "server.py"], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(server, "exit");
  let browser;
  try {
    let url;
    for await (const line of createInterface(server.stdout)) {
      url = /serving on (\S+)/.exec(line)?.[1];
      if (url) break;
    }
    browser = await launch();
    const page = await browser.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(url);
    await page.waitForFunction(() => document.title === "ready");
    await page.getByRole("button").click();
    await page.getByText("seen from 30").waitFor();
    await page.waitForFunction(async () => (await window.spans()).some(({ name }) => name === "wslink.callback"));
    const all = await page.evaluate(() => window.spans());
    const { trace } = all.find(({ name }) => name === "click");
    const spans = all.filter((one) => one.trace === trace);
    const published = "server:wslink.encode < server:wslink.method < server:view.rotate < page:view.rotate < page:click";
    assert.deepEqual(paths(spans), [
      "page:click",
      "page:view.rotate < page:click",
      "page:wslink.callback < " + published,
      "page:wslink.decode < " + published,
      "page:wslink.decode < page:view.rotate < page:click",
      "server:view.rotate < page:view.rotate < page:click",
      "server:wslink.encode < server:view.rotate < page:view.rotate < page:click",
      published,
      "server:wslink.method < server:view.rotate < page:view.rotate < page:click",
      "server:wslink.queue < server:view.rotate < page:view.rotate < page:click",
    ].sort());
    const callback = spans.find(({ name }) => name === "wslink.callback");
    const click = spans.find(({ name }) => name === "click");
    assert.ok(callback.end > callback.begin, "it ends when it can be seen");
    for (const one of spans) assert.ok(one.begin >= click.begin - 20 && one.end <= callback.end + 1000, `${one.name} is of another time`);
    assert.deepEqual(errors, []);
  } finally {
    await browser?.close();
    server.kill("SIGTERM"); // this process alone, by its id
    await ended;
    await rm(folder, { recursive: true });
  }
});
