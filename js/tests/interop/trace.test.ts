// One trace from a click to the pixels that it changes: the spans of the page and of a Python server, each in an exporter in memory.
import * as opentelemetry from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { trace } from "../../src/client/trace.js";
import { type Link, connect, painted } from "../../src/index.js";
import { PythonServer } from "./python.js";

interface Recorded {
  readonly name: string;
  readonly kind: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
}

const exporter = new InMemorySpanExporter();
let server: PythonServer;
let link: Link;

beforeAll(async () => {
  opentelemetry.context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  opentelemetry.trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
  server = await PythonServer.start("traced");
  link = await connect(server.url, { secret: "s3cret", features: [trace(opentelemetry)], handlers: { "page.width": () => 640 } });
});

afterAll(async () => {
  await link.close();
  await server.stop();
  opentelemetry.trace.disable();
  opentelemetry.context.disable();
});

afterEach(() => exporter.reset());

/** The spans of both sides that belong to the trace of `root`, each as its way up to the root. */
async function pathsOf(traceId: string): Promise<string[]> {
  const ours = exporter.getFinishedSpans().map<Recorded>((span) => ({
    name: span.name,
    kind: opentelemetry.SpanKind[span.kind],
    ...span.spanContext(),
    parentId: span.parentSpanContext?.spanId,
    attributes: span.attributes,
  }));
  const theirs = await link.call<Recorded[]>("test.spans");
  const all = new Map([...ours, ...theirs].filter((span) => span.traceId === traceId).map((span) => [span.spanId, span]));
  const path = ({ name, kind, parentId }: Recorded): string => {
    const parent = parentId ? all.get(parentId) : undefined;
    return `${name} ${kind}${parent ? ` < ${path(parent)}` : parentId ? " < a span that nobody recorded" : ""}`;
  };
  return [...all.values()].map(path).sort();
}

/** Does something as a page does at a click: in a span, whose trace is returned. */
async function clicked(does: () => Promise<unknown>): Promise<string> {
  return await opentelemetry.trace.getTracer("page").startActiveSpan("click", async (span) => {
    await does();
    span.end();
    return span.spanContext().traceId;
  });
}

/** Until a callback has dealt with a publication. */
async function shown(filter: Record<string, number>, does: () => Promise<unknown>): Promise<void> {
  let done: () => void = () => undefined;
  const seen = new Promise<void>((resolve) => (done = resolve));
  const subscription = link.subscribe("view.frame", () => painted().then(() => setTimeout(done)), { filter });
  await subscription.ready;
  await does();
  await seen;
  await subscription.cancel();
}

test("from a click to the pixels that it changes", async () => {
  let trace = "";
  await shown({ view: 1 }, async () => {
    trace = await clicked(() => link.call("view.rotate", [30]));
  });
  const call = "view.rotate SERVER < view.rotate CLIENT < click INTERNAL";
  const publication = `wslink.encode PRODUCER < wslink.method INTERNAL < ${call}`;
  expect(await pathsOf(trace)).toEqual(
    [
      "click INTERNAL",
      "view.rotate CLIENT < click INTERNAL",
      call,
      `wslink.queue INTERNAL < ${call}`,
      `wslink.method INTERNAL < ${call}`,
      `wslink.encode INTERNAL < ${call}`,
      "wslink.decode INTERNAL < view.rotate CLIENT < click INTERNAL",
      publication,
      `wslink.decode INTERNAL < ${publication}`,
      `wslink.callback CONSUMER < ${publication}`,
    ].sort(),
  );
});

test("what a method does in a thread, and its own spans", async () => {
  let trace = "";
  await shown({ view: 2 }, async () => {
    trace = await clicked(() => link.call("view.render"));
  });
  const method = "wslink.method INTERNAL < view.render SERVER < view.render CLIENT < click INTERNAL";
  expect(await pathsOf(trace)).toEqual(expect.arrayContaining([`wslink.callback CONSUMER < wslink.encode PRODUCER < draw INTERNAL < ${method}`]));
});

test("the page serves a call of the server's in the trace of its own call", async () => {
  const trace = await clicked(() => link.call("view.measure"));
  const method = "wslink.method INTERNAL < view.measure SERVER < view.measure CLIENT < click INTERNAL";
  const paths = await pathsOf(trace);
  expect(paths).toContain(`page.width SERVER < ${method}`);
  expect(paths).toContain(`wslink.decode INTERNAL < ${method}`);
});

test("a stream, and a call that fails", async () => {
  const trace = await clicked(async () => {
    const parts: unknown[] = [];
    for await (const part of link.stream("view.parts", [3])) parts.push(part);
    expect(parts).toEqual([0, 1, 2]);
    await expect(link.call("view.fail")).rejects.toMatchObject({ code: -5 });
  });
  const paths = await pathsOf(trace);
  expect(paths).toContain("wslink.method INTERNAL < view.parts SERVER < view.parts CLIENT < click INTERNAL");
  expect(paths).toContain("view.fail SERVER < view.fail CLIENT < click INTERNAL");
  const failed = exporter.getFinishedSpans().find(({ name }) => name === "view.fail");
  expect(failed?.attributes).toMatchObject({ "rpc.system.name": "wslink", "rpc.method": "view.fail", "rpc.response.status_code": "-5", "error.type": "-5" });
  expect(failed?.status.code).toBe(opentelemetry.SpanStatusCode.ERROR);
});

test("a publication outside of any call is a trace of its own", async () => {
  await shown({}, () => link.call("test.tick"));
  const callback = exporter.getFinishedSpans().find(({ name }) => name === "wslink.callback");
  expect(await pathsOf(callback?.spanContext().traceId ?? "")).toEqual([
    "wslink.callback CONSUMER < wslink.encode PRODUCER",
    "wslink.decode INTERNAL < wslink.encode PRODUCER",
    "wslink.encode PRODUCER",
  ]);
});

test("where the page does not trace, the server's calls begin traces", async () => {
  const plain = await connect(server.url, { secret: "s3cret" });
  expect(plain.features).not.toContain("trace");
  await plain.call("view.rotate", [1]);
  await plain.close();
  const spans = await link.call<Recorded[]>("test.spans");
  const last = spans.filter(({ name }) => name === "view.rotate").at(-1);
  expect(last?.parentId).toBeNull();
});
