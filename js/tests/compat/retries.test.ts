// Configurations that released clients ignore, or that lead nowhere: something is fired all the same, and nothing waits for ever.
import { expect, test, vi } from "vitest";
import { WsLinkClient } from "../../src/index.js";
import { Launcher } from "../support/launcher.js";
import { ours, watch } from "../support/compat.js";

test.each<unknown>([NaN, "yes", "true", {}, [1, 2], 0.5, "0.9", -3, null, false, ""])("retry: %o tries once, and tells", async (retry) => {
  const { WebsocketConnection } = await ours();
  const connection = WebsocketConnection.newInstance({ urls: "ws://127.0.0.1:9/ws", retry: retry as number });
  const { events, fired } = watch(connection);
  connection.connect();
  await fired("close");
  expect(events.map(([name]) => name)).toEqual(["error", "close"]);
});

test("a client that is connected rejects, whatever retry is", async () => {
  const client = WsLinkClient.newInstance();
  await expect(client.connect({ sessionURL: "ws://127.0.0.1:9/ws", retry: "auto" as unknown as number })).rejects.toBeDefined();
});

test("a launcher that says nothing of a session is an error", async () => {
  new Launcher([200, { id: "7" }]);
  const client = WsLinkClient.newInstance();
  const errors: unknown[] = [];
  client.onConnectionError((_, error) => errors.push(error));
  await expect(client.connect({ application: "cone" })).rejects.toBeDefined();
  expect(errors).toEqual([{ code: -32099, message: "there is no sessionURL to connect to" }]);
});

test("a launcher is asked again after the longest wait that timers know, not at once", async () => {
  vi.useFakeTimers();
  try {
    const launcher = new Launcher([503, { error: "no room" }], [503, { error: "no room" }]);
    const { SmartConnect } = await ours();
    const smart = SmartConnect.newInstance({ config: { application: "cone", launcherRetry: [2 ** 31] } });
    smart.connect();
    await vi.advanceTimersByTimeAsync(1000);
    expect(launcher.requests).toHaveLength(1);
    smart.destroy();
  } finally {
    vi.useRealTimers();
  }
});
