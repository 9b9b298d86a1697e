/**
 * Calls, publications and handlers as spans of OpenTelemetry, in one trace with the server's.
 *
 * @module wslink/trace
 */
import { CallError } from "../errors.js";
import type { Arounds, Feature, FeatureFactory, MakeCall } from "../session/features/feature.js";
import { VERSION } from "../version.js";
import type { ServerMessage } from "../wire/messages.js";
import { readTraceparent, writeTraceparent } from "../wire/traceparent.js";

/** A context of OpenTelemetry; it is only passed on. */
export type Context = object;

/** What is used of an OpenTelemetry span. */
export interface Span {
  spanContext(): { traceId: string; spanId: string; traceFlags: number };
  setAttributes(attributes: Record<string, string>): unknown;
  setStatus(status: { code: number; message?: string }): unknown;
  end(time?: number): void;
}

/** What is used of an OpenTelemetry tracer. */
export interface Tracer {
  startSpan(name: string, options?: { kind?: number; attributes?: Record<string, string>; startTime?: number }, context?: Context): Span;
}

/** What is used of `@opentelemetry/api`. */
export interface OpenTelemetry {
  readonly trace: {
    getTracer(name: string, version?: string): Tracer;
    setSpan(context: Context, span: Span): Context;
    setSpanContext(context: Context, spanContext: { traceId: string; spanId: string; traceFlags: number; isRemote?: boolean }): Context;
  };
  readonly context: {
    active(): Context;
    with<T>(context: Context, function_: () => T): T;
  };
  readonly ROOT_CONTEXT: Context;
}

/** The kinds of spans, and the status, of OpenTelemetry. */
const SERVER = 1;
const CLIENT = 2;
const CONSUMER = 4;
const ERROR = 2;

const NO_SPAN = /^0*$/;

/**
 * Records calls, the decoding of what the server sends, and what callbacks and handlers do with it, as spans, and takes part in the server's traces where
 * it serves with `traces=True`.
 *
 * @param api - `@opentelemetry/api`, as the page has it; what is recorded, and where it is sent, is what the page has set up there.
 *
 * @example
 * import * as opentelemetry from "@opentelemetry/api";
 * const link = await connect({ features: [trace(opentelemetry)] });
 */
export function trace(api: OpenTelemetry): FeatureFactory {
  return () => new Trace(api);
}

class Trace implements Feature {
  readonly name = "trace";

  readonly #api: OpenTelemetry;
  readonly #tracer: Tracer;
  /** The spans of calls that wait for their response, as contexts. */
  readonly #calls = new Map<string, Context>();
  /** The span that the message names which is being handled: callbacks and handlers are called while it is. */
  #parent: Context | undefined;
  #accepted = false;

  constructor(api: OpenTelemetry) {
    this.#api = api;
    this.#tracer = api.trace.getTracer("wslink", VERSION);
  }

  negotiated(accepted: boolean): void {
    this.#accepted = accepted;
  }

  around<K extends keyof Arounds>(kind: K, name: string, inner: Arounds[K]): Arounds[K] {
    return this.#around[kind](name, inner);
  }

  readonly #around: { readonly [K in keyof Arounds]: (name: string, inner: Arounds[K]) => Arounds[K] } = {
    call: (method, make) => this.#call(method, make),
    read: (_, read) => (bytes) => {
      const startTime = performance.now();
      const message = read(bytes);
      const context = this.#contextOf(message);
      this.#parent = context;
      const attributes = message.kind === "publication" ? { attributes: { "wslink.topic": message.topic } } : {};
      if (context) this.#tracer.startSpan("wslink.decode", { startTime, ...attributes }, context).end(performance.now());
      return message;
    },
    callback: (topic, callback) => (payload, info) => {
      const parent = this.#parent;
      if (!parent) return callback(payload, info);
      return this.#run("wslink.callback", { kind: CONSUMER, attributes: { "wslink.topic": info.topic || topic } }, parent, () => callback(payload, info));
    },
    handler: (method, handler) => (args, kwargs, context) => {
      const parent = this.#parent ?? this.#api.ROOT_CONTEXT;
      return this.#run(method, { kind: SERVER, attributes: attributesOf(method) }, parent, () => handler(args, kwargs, context));
    },
  };

  #call(method: string, make: MakeCall): MakeCall {
    return (id, keys) => {
      const parent = this.#api.context.active();
      const span = this.#tracer.startSpan(method, { kind: CLIENT, attributes: attributesOf(method) }, parent);
      const of = span.spanContext();
      this.#calls.set(id, this.#api.trace.setSpan(parent, span));
      const named = this.#accepted && !NO_SPAN.test(of.traceId) ? { traceparent: writeTraceparent(of) } : {};
      return ended(span, make(id, { ...keys, ...named })).finally(() => this.#calls.delete(id));
    };
  }

  /** Runs a function in a span, which ends when what it returns has settled. */
  #run(name: string, options: { kind: number; attributes: Record<string, string> }, parent: Context, run: () => unknown): unknown {
    const span = this.#tracer.startSpan(name, options, parent);
    let result: unknown;
    try {
      result = this.#api.context.with(this.#api.trace.setSpan(parent, span), run);
    } catch (error) {
      failed(span, error);
      span.end();
      throw error;
    }
    if (typeof (result as PromiseLike<unknown> | null | undefined)?.then === "function") return ended(span, result as PromiseLike<unknown>);
    span.end();
    return result;
  }

  #contextOf(message: ServerMessage): Context | undefined {
    if (message.kind === "publication" || message.kind === "call") return this.#remote(message.traceparent);
    return "id" in message && message.id !== undefined ? this.#calls.get(message.id) : undefined;
  }

  #remote(traceparent: unknown): Context | undefined {
    const parent = this.#accepted ? readTraceparent(traceparent) : undefined;
    return parent && this.#api.trace.setSpanContext(this.#api.ROOT_CONTEXT, parent);
  }
}

async function ended(span: Span, result: PromiseLike<unknown>): Promise<unknown> {
  try {
    return await result;
  } catch (error) {
    failed(span, error);
    throw error;
  } finally {
    span.end();
  }
}

function failed(span: Span, error: unknown): void {
  const code = error instanceof CallError ? String(error.code) : error instanceof Error ? error.name : "_OTHER";
  span.setAttributes({ "error.type": code, ...(error instanceof CallError && { "rpc.response.status_code": code }) });
  span.setStatus({ code: ERROR });
}

function attributesOf(method: string): Record<string, string> {
  return { "rpc.system.name": "wslink", "rpc.method": method };
}
