import { describe, expect, test } from "vitest";
import { CallError, ConnectionError, NDArray, ProtocolError, type Subscription, UnsupportedError, UsageError } from "../../src/index.js";
import type { Connection } from "../support/peer.js";
import { WELCOME } from "../support/peer.js";
import { linked, reported, settled } from "../support/linked.js";

async function subscribed(peer: Connection, subscription: Subscription): Promise<void> {
  peer.answer(await peer.next(), { delivery: "reliable" });
  await subscription.ready;
}

describe("a subscription", () => {
  test("is asked for as SUB-2 has it", async () => {
    const { link, peer } = await linked();
    const subscription = link.subscribe("terrain.tile", () => undefined, { filter: { row: { gte: 3, lt: 6 } } });
    const call = await peer.next();
    expect(call).toEqual({
      wslink: "1.0",
      id: expect.stringMatching(/^system:subscribe:\d+$/) as string,
      method: "wslink.subscribe",
      args: [{ subscription: 1, topic: "terrain.tile", filter: { row: { gte: 3, lt: 6 } } }],
    });
    expect(subscription.delivery).toBeUndefined();
    peer.answer(call, { delivery: "latest" });
    await subscription.ready;
    expect(subscription).toMatchObject({ topic: "terrain.tile", delivery: "latest" });
  });

  test("gets the publications that name it, and only those (SUB-6)", async () => {
    const { link, peer } = await linked();
    const [first, second]: [unknown[], unknown[]] = [[], []];
    const one = link.subscribe("a.b", (payload, info) => first.push([payload, info]));
    await subscribed(peer, one);
    await subscribed(peer, link.subscribe("a.b", (payload) => second.push(payload)));
    peer.publish("a.b", "to one", { subscriptions: [1] });
    peer.publish("a.b", "to both", { subscriptions: [1, 2], id: "publish:a.b:7" });
    peer.publish("other", "to one, under another topic", { subscriptions: [1] });
    peer.publish("a.b", "to nobody", { subscriptions: [9] });
    await settled(link, peer);
    expect(first).toEqual([
      ["to one", { topic: "a.b", number: 0 }],
      ["to both", { topic: "a.b", number: 7 }],
    ]);
    expect(second).toEqual(["to both"]);
    expect(reported).toEqual([]);
  });

  test("to a pattern gets what names it, whatever the topic (SUB-18, SUB-19)", async () => {
    const { link, peer } = await linked();
    const got: unknown[] = [];
    const subscription = link.subscribe("a.**", (payload, { topic }) => got.push([payload, topic]));
    peer.answer(await peer.next(), { delivery: "mixed" });
    await subscription.ready;
    expect(subscription.delivery).toBe("mixed");
    peer.publish("a.b", 1, { subscriptions: [1] });
    peer.publish("a.b.c", 2, { subscriptions: [1] });
    await settled(link, peer);
    expect(got).toEqual([
      [1, "a.b"],
      [2, "a.b.c"],
    ]);
  });

  test("that is refused says why, and is gone", async () => {
    const { link, peer } = await linked();
    const subscription = link.subscribe("a.b", () => undefined);
    const { ready } = subscription;
    peer.fail(await peer.next(), { code: -32602, message: "no such topic" });
    await expect(ready).rejects.toBeInstanceOf(CallError);
    await subscription.cancel();
    await settled(link, peer);
    expect(peer.frames.length).toBe(3); // hello, subscribe, sync: no unsubscribe
    expect(reported).toEqual([]);
  });

  test("that is refused is reported where nobody looks at ready", async () => {
    const { link, peer } = await linked();
    link.subscribe("a.b", () => undefined);
    peer.fail(await peer.next(), { code: -32602, message: "no such topic" });
    await settled(link, peer);
    expect(reported).toEqual([expect.any(CallError)]);
  });

  test("whose connection ends rejects, and is silent where nobody looks", async () => {
    const { link, peer } = await linked(undefined, { reconnect: false });
    const watched = link.subscribe("a.b", () => undefined).ready;
    link.subscribe("c.d", () => undefined);
    await peer.next();
    peer.socket.close(1001);
    await expect(watched).rejects.toBeInstanceOf(ConnectionError);
    await expect(link.subscribe("a.b", () => undefined).ready).rejects.toBeInstanceOf(ConnectionError);
    expect(reported).toEqual([]);
  });

  test("changes its filter in place (SUB-4)", async () => {
    const { link, peer } = await linked();
    const subscription = link.subscribe("a.b", () => undefined, { filter: { row: 1 } });
    await subscribed(peer, subscription);
    for (const [filter, sent] of [[{ row: [2, 3] }, { filter: { row: [2, 3] } }], [null, {}]] as const) {
      const updated = subscription.update(filter);
      const call = await peer.next();
      expect(call.args).toEqual([{ subscription: 1, topic: "a.b", ...sent }]);
      peer.answer(call, { delivery: "reliable" });
      await updated;
    }
  });

  test("refuses a condition that is undefined, without which everything would match", async () => {
    const { link, peer } = await linked();
    const row = undefined as unknown as number;
    const refused = link.subscribe("a.b", () => undefined, { filter: { row } });
    await expect(refused.ready).rejects.toThrow("condition is undefined");
    for (const filter of [{ row: { gte: row, lt: 6 } }, { and: [{ row }] }, { not: { row } }, { or: [{ row: 1 }, { row: [1, row] }] }]) {
      await expect(link.subscribe("a.b", () => undefined, { filter }).ready).rejects.toThrow("condition is undefined");
    }
    const subscription = link.subscribe("a.b", () => undefined, { filter: { row: 1 } });
    await subscribed(peer, subscription);
    await expect(subscription.update({ row })).rejects.toThrow("condition is undefined");
  });

  test("keeps its callback where a change of its filter is refused", async () => {
    const { link, peer } = await linked();
    const payloads: unknown[] = [];
    const subscription = link.subscribe("a.b", (payload) => payloads.push(payload));
    await subscribed(peer, subscription);
    const updated = subscription.update({ row: [] });
    peer.fail(await peer.next(), { code: -32602, message: "bad filter" });
    await expect(updated).rejects.toBeInstanceOf(CallError);
    peer.publish("a.b", 1, { subscriptions: [1] });
    await settled(link, peer);
    expect(payloads).toEqual([1]);
  });

  test("that is cancelled gets nothing more, and tells the server once", async () => {
    const { link, peer } = await linked();
    const payloads: unknown[] = [];
    const subscription = link.subscribe("a.b", (payload) => payloads.push(payload));
    await subscribed(peer, subscription);
    const cancelled = [subscription.cancel(), subscription.cancel()];
    peer.publish("a.b", "under way", { subscriptions: [1] });
    const call = await peer.next();
    expect(call).toMatchObject({ method: "wslink.unsubscribe", args: [{ subscription: 1 }] });
    peer.answer(call, null);
    await Promise.all(cancelled);
    await subscription.cancel();
    await settled(link, peer);
    expect(payloads).toEqual([]);
    expect(peer.frames.length).toBe(4); // hello, subscribe, unsubscribe, sync
  });

  test("may be cancelled before it is ready, from its own callback, and after the end", async () => {
    const { link, peer } = await linked();
    const early = link.subscribe("a.b", () => undefined);
    const cancelled = early.cancel();
    peer.answer(await peer.next(), { delivery: "reliable" });
    peer.answer(await peer.next(), null);
    await Promise.all([early.ready, cancelled]);

    const payloads: unknown[] = [];
    const once: Subscription = link.subscribe("a.b", (payload) => {
      payloads.push(payload);
      void once.cancel();
    });
    await subscribed(peer, once);
    peer.publish("a.b", 1, { subscriptions: [2] });
    peer.publish("a.b", 2, { subscriptions: [2] });
    peer.answer(await peer.next(), null);
    await settled(link, peer);
    expect(payloads).toEqual([1]);

    const last = link.subscribe("a.b", () => undefined);
    await subscribed(peer, last);
    await link.close();
    await last.cancel();
  });

  test("that another callback cancels, or that outlives its link, is not called any more", async () => {
    const { link, peer } = await linked();
    const payloads: unknown[] = [];
    const first = link.subscribe("a.b", (payload) => {
      payloads.push(payload);
      void (payload === "cancel" ? second.cancel() : link.close());
    });
    const second: Subscription = link.subscribe("a.b", () => payloads.push("second"));
    const third = link.subscribe("a.b", () => payloads.push("third"));
    for (const each of [first, second, third]) await subscribed(peer, each);
    peer.publish("a.b", "cancel", { subscriptions: [1, 2] });
    peer.publish("a.b", "close", { subscriptions: [1, 2, 3] });
    await link.closed;
    await Promise.all([first.cancel(), second.cancel(), third.cancel()]);
    expect(payloads).toEqual(["cancel", "close"]);
  });

  test("that has ended takes no filter: the server would begin a new one", async () => {
    const { link, peer } = await linked();
    const subscription = link.subscribe("a.b", () => undefined);
    await subscribed(peer, subscription);
    void subscription.cancel();
    await expect(subscription.update({ row: 1 })).rejects.toBeInstanceOf(UsageError);
  });

  test("whose callback throws, or rejects, disturbs nobody", async () => {
    const { link, peer } = await linked();
    const payloads: unknown[] = [];
    const error = new Error("of the application");
    await subscribed(peer, link.subscribe("a.b", () => { throw error; })); // prettier-ignore
    await subscribed(peer, link.subscribe("a.b", () => Promise.reject(error)));
    await subscribed(peer, link.subscribe("a.b", (payload) => payloads.push(payload)));
    peer.publish("a.b", 1, { subscriptions: [1, 2, 3] });
    peer.publish("a.b", 2, { subscriptions: [1, 2, 3] });
    await settled(link, peer);
    expect(payloads).toEqual([1, 2]);
    expect(reported).toEqual([error, error, error, error]);
  });

  test("is not held up by a callback of another that never ends, nor by one that nobody cancels", async () => {
    const { link, peer } = await linked();
    const payloads: unknown[] = [];
    await subscribed(peer, link.subscribe("a.b", () => new Promise(() => undefined)));
    await subscribed(peer, link.subscribe("a.b", () => ({ then: (_: unknown, failed: (error: unknown) => void) => failed("late") })));
    await subscribed(peer, link.subscribe("c.d", (payload) => payloads.push(payload)));
    for (let n = 0; n < 1000; n++) {
      peer.publish("a.b", n, { subscriptions: [1] });
      peer.publish("c.d", n, { subscriptions: [3] });
    }
    peer.publish("a.b", 0, { subscriptions: [2] });
    await settled(link, peer);
    expect(payloads).toEqual([...Array(1000).keys()]);
    expect(reported).toEqual(["late"]);
  });

  test("gets arrays with their type and shape", async () => {
    const { link, peer } = await linked();
    const payloads: unknown[] = [];
    await subscribed(peer, link.subscribe("a.b", (payload) => payloads.push(payload)));
    const head = [0x07, 0x93, 0xa3, 0x3c, 0x69, 0x32, 0x02, 0x01]; // 7 bytes: ["<i2", 2, 1]
    const { encode, ExtData } = await import("@msgpack/msgpack");
    const { frame } = await import("../support/peer.js");
    const array = new ExtData(1, new Uint8Array([...head, 1, 0, 255, 255]));
    peer.send(frame(encode({ id: "publish:a.b:0", result: { array }, subscriptions: [1] })));
    await settled(link, peer);
    expect(payloads).toEqual([{ array: new NDArray(new Int16Array([1, -1]), [2, 1]) }]);
  });

  test("gets its publications after the result of the call that published them (ORD-2)", async () => {
    const { link, peer } = await linked();
    const order: string[] = [];
    await subscribed(peer, link.subscribe("a.b", () => order.push("publication")));
    const result = link.call("render").then(() => order.push("result"));
    const call = await peer.next();
    peer.together(() => {
      peer.answer(call, null);
      peer.publish("a.b", 1, { subscriptions: [1] });
    });
    await result;
    await settled(link, peer);
    expect(order).toEqual(["result", "publication"]);
  });

  test("reports a publication that names no subscriptions", async () => {
    const { link, peer } = await linked();
    await subscribed(peer, link.subscribe("a.b", () => undefined));
    peer.publish("a.b", 1);
    await settled(link, peer);
    expect(reported).toEqual([expect.any(ProtocolError)]);
  });
});

describe("with a released server, which sends everything", () => {
  test("a subscription gets its topic's publications", async () => {
    const { link, peer } = await linked(WELCOME);
    const payloads: unknown[] = [];
    const subscription = link.subscribe("a.b", (payload) => payloads.push(payload));
    await subscription.ready;
    expect(subscription.delivery).toBe("reliable");
    peer.publish("a.b", 1);
    peer.publish("a.b.c", 2);
    await settled(link, peer);
    await subscription.cancel();
    peer.publish("a.b", 3);
    await settled(link, peer);
    expect(payloads).toEqual([1]);
    expect(peer.frames.length).toBe(3); // hello, and sync twice
  });

  test("a subscription after the end rejects", async () => {
    const { link } = await linked(WELCOME);
    await link.close();
    await expect(link.subscribe("a.b", () => undefined).ready).rejects.toBeInstanceOf(ConnectionError);
  });

  test("a filter is refused, as nobody would apply it", async () => {
    const { link } = await linked(WELCOME);
    await expect(link.subscribe("a.b", () => undefined, { filter: { row: 1 } }).ready).rejects.toBeInstanceOf(UnsupportedError);
    const subscription = link.subscribe("a.b", () => undefined, { filter: {} });
    await subscription.ready;
    await expect(subscription.update({ row: 1 })).rejects.toBeInstanceOf(UnsupportedError);
    await subscription.update(null);
  });
});
