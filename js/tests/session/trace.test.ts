// Spans of calls, publications and handlers (TRC), against a scripted server, with OpenTelemetry's own exporter in memory.
import * as opentelemetry from "@opentelemetry/api";
import { BasicTracerProvider, InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { trace } from "../../src/client/trace.js";
import { linked, reported, settled } from "../support/linked.js";
import { WELCOME_WITH_FEATURES, message } from "../support/peer.js";

const WELCOME = { ...WELCOME_WITH_FEATURES, features: ["subscribe", "handle", "trace"] };
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = `00-${TRACE}-b7ad6b7169203331-01`;
const exporter = new InMemorySpanExporter();
const options = { features: [trace(opentelemetry)] };

beforeAll(() => void opentelemetry.trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })));
afterAll(() => opentelemetry.trace.disable());
afterEach(() => exporter.reset());

/** The spans of a trace, `sync` left out. */
function spans(): ReadableSpan[] {
  const all = exporter.getFinishedSpans();
  const sync = new Set(all.filter(({ name }) => name === "sync").map((span) => span.spanContext().traceId));
  return all.filter((span) => !sync.has(span.spanContext().traceId));
}

test("TRC-1: a call names its span", async () => {
  const { link, peer } = await linked(WELCOME, options);
  const call = link.call("a.method", [1]);
  const asked = await peer.next();
  peer.answer(asked, 2);
  expect(await call).toBe(2);
  const [decode, made] = spans();
  const { traceId, spanId } = (made as ReadableSpan).spanContext();
  expect(asked).toMatchObject({ traceparent: `00-${traceId}-${spanId}-01` });
  expect(Object.keys(asked)).toEqual(["wslink", "id", "traceparent", "method", "args"]);
  expect(made).toMatchObject({ name: "a.method", kind: opentelemetry.SpanKind.CLIENT, attributes: { "rpc.system.name": "wslink", "rpc.method": "a.method" } });
  expect(decode).toMatchObject({ name: "wslink.decode", parentSpanContext: { spanId } });
});

test("a server that did not accept is named no span, and what it names is ignored (TRC-4)", async () => {
  const { link, peer } = await linked(WELCOME_WITH_FEATURES, options);
  const seen: unknown[] = [];
  const { ready } = link.subscribe("a.topic", (payload) => void seen.push(payload));
  const subscribe = await peer.next();
  expect(subscribe).not.toHaveProperty("traceparent");
  peer.answer(subscribe, { delivery: "reliable" });
  await ready;
  const call = link.call("a.method");
  const asked = await peer.next();
  expect(asked).not.toHaveProperty("traceparent");
  peer.send(message({ id: "publish:a.topic:0", traceparent: PARENT, result: 1, subscriptions: [1] }));
  peer.answer(asked, null);
  await call;
  expect(seen).toEqual([1]);
  expect(spans().map(({ name }) => name).sort()).toEqual(["a.method", "wslink.decode"]);
});

test("a publication's decoding and callback, until what that returns has settled", async () => {
  const { link, peer } = await linked(WELCOME, options);
  let finish: () => void = () => undefined;
  let infos: unknown;
  const { ready } = link.subscribe("a.topic", (payload, info) => {
    infos = info;
    if (payload === "throws") throw new Error("mine");
    return new Promise<void>((resolve) => (finish = resolve));
  });
  peer.answer(await peer.next(), { delivery: "reliable" });
  await ready;
  peer.send(message({ id: "publish:a.topic:0", traceparent: PARENT, result: "waits", subscriptions: [1] }));
  await settled(link, peer);
  expect(spans().map(({ name }) => name)).toEqual(["wslink.decode"]);
  finish();
  peer.send(message({ id: "publish:a.topic:1", traceparent: PARENT, result: "throws", subscriptions: [1] }));
  await settled(link, peer);
  expect(infos).toEqual({ topic: "a.topic", number: 1 });
  expect(reported).toMatchObject([{ message: "mine" }]);
  const of = { traceId: TRACE, spanId: "b7ad6b7169203331", isRemote: true };
  expect(spans()).toMatchObject([
    { name: "wslink.decode", parentSpanContext: of },
    { name: "wslink.callback", parentSpanContext: of, status: { code: opentelemetry.SpanStatusCode.UNSET }, attributes: { "wslink.topic": "a.topic" } },
    { name: "wslink.decode", parentSpanContext: of },
    { name: "wslink.callback", parentSpanContext: of, status: { code: opentelemetry.SpanStatusCode.ERROR }, attributes: { "error.type": "Error" } },
  ]);
});

test.each([null, 7, "", "00-0-0-00", { a: [1] }, PARENT.toUpperCase(), `${PARENT}-more`, "x".repeat(100_000)])("TRC-2: case %#: what is malformed is ignored", async (traceparent) => {
  const { link, peer } = await linked(WELCOME, { ...options, handlers: { "page.width": () => 640 } });
  const seen: unknown[] = [];
  const { ready } = link.subscribe("a.topic", (payload) => void seen.push(payload));
  peer.answer(await peer.next(), { delivery: "reliable" });
  await ready;
  peer.send(message({ id: "publish:a.topic:0", traceparent, result: 1, subscriptions: [1] }));
  peer.send(message({ id: "rpc:server:0", traceparent, method: "page.width", args: [], kwargs: {} }));
  await settled(link, peer);
  expect(seen).toEqual([1]);
  expect(reported).toEqual([]);
  expect(spans()).toMatchObject([{ name: "page.width", parentSpanContext: undefined }]);
});

test("a trace that is not sampled is recorded no further (TRC-3)", async () => {
  const { link, peer } = await linked(WELCOME, { ...options, handlers: { "page.width": () => 640 } });
  peer.send(message({ id: "rpc:server:0", traceparent: `${PARENT.slice(0, -1)}0`, method: "page.width", args: [], kwargs: {} }));
  await settled(link, peer);
  expect(spans()).toEqual([]);
});

test("a handler that fails, and a call that ends with the link", async () => {
  const { link, peer } = await linked(WELCOME, {
    ...options,
    handlers: {
      "page.width": () => {
        throw new TypeError("no page");
      },
    },
  });
  peer.send(message({ id: "rpc:server:0", traceparent: PARENT, method: "page.width", args: [], kwargs: {} }));
  await settled(link, peer);
  const call = link.call("a.method");
  await peer.next();
  const closing = link.close();
  await expect(call).rejects.toMatchObject({ name: "ConnectionError" });
  await closing;
  const status = { code: opentelemetry.SpanStatusCode.ERROR };
  expect(spans().filter(({ name }) => name !== "wslink.decode")).toMatchObject([
    { name: "page.width", kind: opentelemetry.SpanKind.SERVER, status, attributes: { "error.type": "TypeError" }, parentSpanContext: { traceId: TRACE } },
    { name: "a.method", status, attributes: { "error.type": "ConnectionError" } },
  ]);
});

test("where nothing records, nothing is named", async () => {
  opentelemetry.trace.disable();
  const { link, peer } = await linked(WELCOME, { features: [trace(opentelemetry)] });
  const call = link.call("a.method");
  const asked = await peer.next();
  peer.answer(asked, "result");
  expect(await call).toBe("result");
  expect(asked).not.toHaveProperty("traceparent");
});
