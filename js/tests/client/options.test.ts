// Options that there are not, and names that no server could call: they are refused, as a misspelt one would have no effect.
import { getEventListeners } from "node:events";
import { expect, test, vi } from "vitest";
import { type CallOptions, type ConnectOptions, type StreamOptions, type SubscribeOptions, UsageError, connect, launch } from "../../src/index.js";
import { linked, url } from "../support/linked.js";
import { WELCOME_WITH_FEATURES } from "../support/peer.js";

const WELCOME = { ...WELCOME_WITH_FEATURES, features: ["subscribe", "stream", "handle", "progress"] };

test.each([
  [{ secrets: "x" }, "secrets"],
  [{ call_timeout: 5 }, "call_timeout"],
  [{ maxmessage: 5 }, "maxmessage"],
  [{ reconnect: { giveUpafter: 5 } }, "giveUpafter"],
])("connect: %j", async (options, name) => {
  await expect(connect(await url(), options as ConnectOptions)).rejects.toThrow(new UsageError(`${name} is not an option`));
  await expect(connect(options as ConnectOptions)).rejects.toThrow(UsageError);
});

test.each([
  [{ callTimeout: NaN }, "callTimeout must be a number from 0 on, not NaN"],
  [{ callTimeout: -1 }, "callTimeout must be a number from 0 on, not -1"],
  [{ callTimeout: "5" }, 'callTimeout must be a number from 0 on, not "5"'],
  [{ callTimeout: null }, "callTimeout must be a number from 0 on, not null"],
  [{ timeout: NaN }, "timeout must be a number from 0 on, not NaN"],
  [{ reconnect: null }, "reconnect must be an object, true or false, not null"],
  [{ reconnect: 0 }, "reconnect must be an object, true or false, not 0"],
  [{ reconnect: "no" }, 'reconnect must be an object, true or false, not "no"'],
])("connect() refuses at once %j", async (options, why) => {
  await expect(connect("ws://127.0.0.1:9/ws", options as ConnectOptions)).rejects.toThrow(new UsageError(why));
});

test("errors of connect() name neither the query nor the password of a URL", async () => {
  const error = (await connect("ws://ada:s3cret@127.0.0.1:9/ws?token=t0ken", { secret: "x" }).catch((reason: unknown) => reason)) as Error;
  expect(error.message).toMatch(/^cannot connect to ws:\/\/127\.0\.0\.1:9\/ws \(/);
  expect(error.message).not.toMatch(/ada|s3cret|t0ken/);
});

test("all options of connect() are known", async () => {
  const { link } = await linked(WELCOME, {
    secret: "x", timeout: 5000, signal: new AbortController().signal, reconnect: { initial: 1, max: 1, giveUpAfter: 1 }, callTimeout: 0, maxMessage: 1e6,
    maxPartial: 4, maxResume: 1e6, maxClientCalls: 4, handlers: {}, features: [], WebSocket: undefined,
  });
  await link.close();
});

test("call, stream and subscribe", async () => {
  const { link } = await linked(WELCOME);
  await expect(link.call("a.b", [], {}, { timout: 5 } as CallOptions)).rejects.toThrow(new UsageError("timout is not an option"));
  await expect(link.call("a.b", [], {}, { onprogress: () => 1 } as CallOptions)).rejects.toThrow("onprogress is not an option");
  await expect(link.stream("a.b", [], {}, { windows: 5 } as StreamOptions).next()).rejects.toThrow("windows is not an option");
  await expect(link.stream("a.b", [], {}, { retry: true } as StreamOptions).next()).rejects.toThrow("retry is not an option");
  await expect(link.stream("a.b", [], {}, { onTransfer: () => 1 } as StreamOptions).next()).rejects.toThrow("onTransfer is not an option");
  expect(() => link.subscribe("a.b", () => 1, { filters: { x: 1 } } as SubscribeOptions)).toThrow("filters is not an option");
  const all: Required<CallOptions> = { timeout: 5, signal: AbortSignal.abort(), retry: true, onTransfer: () => 1, onProgress: () => 1 };
  await expect(link.call("a.b", [], {}, all)).rejects.toThrow("aborted");
  await link.close();
});

test("MSG-5: names of handlers", async () => {
  const { link } = await linked(WELCOME);
  for (const name of ["", "View.size", "view.Size", "view..size", ".view", "view.", "view size", "1view", "view-size", "wslink:view"]) {
    expect(() => link.handle(name, () => 1)).toThrow(`${name} is not the name of a method`);
  }
  for (const name of ["view", "view.size", "view_2.size_3.x"]) link.handle(name, () => 1);
  await expect(connect(await url(), { handlers: { "view size": () => 1 } })).rejects.toThrow(UsageError);
  await link.close();
});

const wrong = (name: string, what: string, value: string): UsageError => new UsageError(`${name} must be ${what}, not ${value}`);

test.each([
  ["secret", 5],
  ["timeout", "5"],
  ["signal", {}],
  ["signal", new AbortController()],
  ["reconnect", []],
  ["reconnect", { initial: "5" }],
  ["callTimeout", []],
  ["maxMessage", NaN],
  ["maxPartial", -1],
  ["maxResume", null],
  ["maxClientCalls", {}],
  ["WebSocket", {}],
  ["handlers", []],
  ["handlers", "a.b"],
  ["features", {}],
  ["features", ["lamp"]],
  ["features", () => 1],
])("connect: %s: %j is refused by its name", async (name, value) => {
  const error = (await connect("ws://127.0.0.1:9/ws", { [name]: value } as ConnectOptions).catch((reason: unknown) => reason)) as Error;
  expect(error).toBeInstanceOf(UsageError);
  expect(error.message).toContain(`${typeof value === "object" && value && "initial" in value ? "initial" : name} must be `);
});

test.each([5000, "secret", [], () => 1])("options of every function are an object, not %j", async (options) => {
  const { link } = await linked(WELCOME);
  const error = /^options must be an object, not /;
  await expect(connect("ws://127.0.0.1:9/ws", options as never)).rejects.toThrow(error);
  await expect(launch("http://127.0.0.1:9/", { application: "a" }, options as never)).rejects.toThrow(error);
  await expect(link.call("a.b", [], {}, options as never)).rejects.toThrow(error);
  await expect(link.stream("a.b", [], {}, options as never).next()).rejects.toThrow(error);
  expect(() => link.subscribe("a.b", () => 1, options as never)).toThrow(error);
  await link.close();
});

test("null is as good as no options", async () => {
  const { link, peer } = await linked(WELCOME);
  const result = link.call("a.b", [], null as never, null as never);
  peer.answer(await peer.next(), 5);
  expect(await result).toBe(5);
  link.subscribe("a.b", () => 1, null as never);
  expect(await peer.next()).toMatchObject({ method: "wslink.subscribe" });
  await link.close();
});

test.each([5, "text", [1], () => 1])("arguments by name are an object, not %j", async (kwargs) => {
  const { link } = await linked(WELCOME);
  await expect(link.call("a.b", [], kwargs as never)).rejects.toThrow(/^kwargs must be an object, not /);
  await link.close();
});

test("topics, methods, windows and signals", async () => {
  const { link } = await linked(WELCOME);
  expect(() => link.subscribe(5 as never, () => 1)).toThrow(wrong("topic", "text", "5"));
  expect(() => link.subscribe({ topic: "a" } as never, () => 1)).toThrow(wrong("topic", "text", "Object"));
  await expect(link.call(Symbol("a") as never)).rejects.toThrow(wrong("method", "text", "Symbol(a)"));
  await expect(link.stream("a.b", [], {}, { window: "5" as never }).next()).rejects.toThrow(wrong("window", "a number of items, from 1 on", '"5"'));
  await expect(link.call("a.b", [], {}, { signal: "x" as never })).rejects.toThrow(wrong("signal", "an AbortSignal", '"x"'));
  await link.close();
});

test.each([[{ onprogress: () => 1 }, "onprogress is not an option"], [{ onProgress: 5 }, "onProgress must be a function, not 5"], [{ headers: new Headers() }, "headers must be an object, not Headers"], [{ timeout: "5" }, 'timeout must be a number from 0 on, not "5"'], [{ signal: {} }, "signal must be an AbortSignal, not Object"]])("launch: %j", async (options, why) => {
  await expect(launch("http://127.0.0.1:9/", { application: "a" }, options as never)).rejects.toThrow(new UsageError(why));
}); // prettier-ignore

test("a signal has one listener for all calls that wait for it, and none when they are over", async () => {
  const warned = vi.fn();
  process.on("warning", warned);
  const { link, peer } = await linked(WELCOME);
  const abort = new AbortController();
  const calls = Array.from({ length: 20 }, () => link.call("a.b", [], {}, { signal: abort.signal }));
  expect(getEventListeners(abort.signal, "abort")).toHaveLength(1);
  for (let n = 0; n < 18; n++) peer.answer(await peer.next(), 1);
  await Promise.all(calls.slice(0, 18));
  expect(getEventListeners(abort.signal, "abort")).toHaveLength(1);
  abort.abort(new Error("enough"));
  for (const call of calls.slice(18)) await expect(call).rejects.toThrow("enough");
  expect(getEventListeners(abort.signal, "abort")).toEqual([]);
  await new Promise(setImmediate);
  expect(warned).not.toHaveBeenCalled();
  process.off("warning", warned);
  await link.close();
});
