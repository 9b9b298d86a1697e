// Options that there are not, and names that no server could call: they are refused, as a misspelt one would have no effect.
import { expect, test } from "vitest";
import { type CallOptions, type ConnectOptions, type StreamOptions, type SubscribeOptions, UsageError, connect } from "../../src/index.js";
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
  [{ callTimeout: NaN }, "callTimeout is NaN: a number from 0 on"],
  [{ callTimeout: -1 }, "callTimeout is -1: a number from 0 on"],
  [{ callTimeout: "5" }, "callTimeout is 5: a number from 0 on"],
  [{ callTimeout: null }, "callTimeout is null: a number from 0 on"],
  [{ timeout: NaN }, "timeout is NaN: a number from 0 on"],
  [{ reconnect: null }, "reconnect is null: options, or true or false"],
  [{ reconnect: 0 }, "reconnect is 0: options, or true or false"],
  [{ reconnect: "no" }, "reconnect is no: options, or true or false"],
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
