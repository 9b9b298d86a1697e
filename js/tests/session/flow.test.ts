// What the client acknowledges, and how it sends by what the server acknowledges (FLOW, LANE), against a scripted server.
import { expect, test } from "vitest";
import { encode } from "@msgpack/msgpack";
import type { Transfer } from "../../src/index.js";
import { linked, reported, settled } from "../support/linked.js";
import { type Connection, WELCOME_WITH_FEATURES } from "../support/peer.js";

const WELCOME = { ...WELCOME_WITH_FEATURES, features: ["subscribe", "arrays", "flow"] };

function numbers({ extensions }: Connection): number[][] {
  return extensions as number[][];
}

async function until<T>(look: () => T | undefined): Promise<T> {
  for (let tries = 0; tries < 200; tries++) {
    const found = look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("it did not come");
}

async function subscribed(window?: number): Promise<Awaited<ReturnType<typeof linked>> & { seen: unknown[]; done: (() => void)[] }> {
  const { link, peer } = await linked(WELCOME);
  const seen: unknown[] = [];
  const done: (() => void)[] = [];
  const subscription = link.subscribe("a.topic", (payload) => {
    seen.push(payload);
    return new Promise<void>((resolve) => done.push(resolve));
  }, { window, maxRate: 20 });
  const request = await peer.next();
  expect(request.args[0]).toMatchObject({ subscription: 1, topic: "a.topic", max_rate: 20, ...(window && { window }) });
  peer.answer(request, { delivery: "latest" });
  await subscription.ready;
  return { link, peer, seen, done };
}

test("FLOW-1, FLOW-2: the client acknowledges the bytes of frames that came after hello's response", async () => {
  const { link, peer } = await linked(WELCOME);
  const call = link.call("a.method");
  peer.answer(await peer.next(), "x".repeat(1000));
  await call;
  const [type, total, held] = await until(() => numbers(peer).at(-1)) as [number, number, number];
  expect(type).toBe(1);
  expect(total).toBeGreaterThan(1000);
  expect(total).toBeLessThan(1100);
  expect(held).toBeLessThan(50);
  peer.extension(1, 50, 0);
  await settled(link, peer);
  await until(() => ((numbers(peer).at(-1)?.[1] as number) > total ? true : undefined));
  await new Promise((resolve) => setTimeout(resolve, 60));
  const after = numbers(peer).length;
  peer.extension(1, 60, 0);
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(numbers(peer)).toHaveLength(after); // an acknowledgement is not acknowledged
});

test("FLOW-3: many small frames are acknowledged together", async () => {
  const { link, peer } = await linked(WELCOME);
  for (let n = 0; n < 1000; n++) peer.publish("nobody.listens", "x", { subscriptions: [9] });
  await settled(link, peer);
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(numbers(peer).length).toBeLessThan(200);
});

test("FLOW-3: what has arrived at once is acknowledged at once", async () => {
  const { link, peer } = await linked(WELCOME);
  await settled(link, peer);
  await new Promise((resolve) => setTimeout(resolve, 60));
  const before = numbers(peer).length;
  for (let n = 0; n < 3; n++) peer.publish("nobody.listens", "x".repeat(10_000), { subscriptions: [9] });
  const [, total] = numbers(peer)[before - 1] as [number, number];
  const [, next] = (await until(() => numbers(peer)[before])) as [number, number];
  expect(next - total).toBeGreaterThan(30_000);
});

test("FLOW-5: a publication is settled when what the callback returned is", async () => {
  const { peer, seen, done } = await subscribed(2);
  for (let n = 0; n < 2; n++) peer.publish("a.topic", n, { subscriptions: [1] });
  await until(() => (seen.length === 2 ? seen : undefined));
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(numbers(peer).filter(([type]) => type === 2)).toEqual([]);
  done[0]?.();
  const [, subscription, count, duration] = await until(() => numbers(peer).find(([type]) => type === 2));
  expect([subscription, count]).toEqual([1, 1]);
  expect(duration).toBeGreaterThan(40);
  done[1]?.();
  expect(await until(() => numbers(peer).find(([type, , n]) => type === 2 && n === 2))).toBeDefined();
});

test("FLOW-4, LANE-2: a large message waits for the server's acknowledgements, and small calls pass it", async () => {
  const { link, peer } = await linked(WELCOME);
  const calls = [link.call("a.large", [new Uint8Array(2 ** 20)]), link.call("b.large", [new Uint8Array(2 ** 20)])];
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(peer.counted).toBeLessThan(150_000);
  calls.push(link.call("a.small"));
  const acknowledge = setInterval(() => peer.extension(1, peer.counted, 0), 2);
  const order = [(await peer.next()).method, (await peer.next()).method, (await peer.next()).method];
  clearInterval(acknowledge);
  expect(order[0]).toBe("a.small");
  expect(order.slice(1).sort()).toEqual(["a.large", "b.large"]);
  void link.close();
  await Promise.allSettled(calls);
});

test("FLOW-2: acknowledgements that make no sense change nothing", async () => {
  const { link, peer } = await linked(WELCOME);
  const call = link.call("a.large", [new Uint8Array(2 ** 20)]);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const before = peer.counted;
  for (const items of [[1], [1, -5, 0], [1, 10 ** 9, 0], [1, "5", 0], [1, 0.5, 0], [1, 0, 0]]) peer.extension(...items);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(peer.counted).toBe(before);
  void link.close();
  await Promise.allSettled([call]);
});

test("a callback that throws has dealt with its publication", async () => {
  const { link, peer } = await linked(WELCOME);
  const subscription = link.subscribe("a.topic", () => { throw new Error("a mistake"); });
  peer.answer(await peer.next(), { delivery: "latest" });
  await subscription.ready;
  peer.publish("a.topic", 1, { subscriptions: [1] });
  expect(await until(() => numbers(peer).find(([type]) => type === 2))).toEqual([2, 1, 1, expect.any(Number)]);
});

test("a large publication is settled as soon as it is dealt with", async () => {
  const { link, peer } = await linked(WELCOME);
  const subscription = link.subscribe("a.topic", () => undefined);
  peer.answer(await peer.next(), { delivery: "latest" });
  await subscription.ready;
  for (let count = 1; count <= 5; count++) {
    peer.publish("a.topic", "x".repeat(200_000), { subscriptions: [1] });
    await until(() => numbers(peer).find(([type, total]) => type === 1 && (total as number) > count * 200_000));
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(numbers(peer).find(([type, , settled]) => type === 2 && settled === count)).toBeDefined();
  }
});

test("frames that cannot be read are acknowledged too", async () => {
  const { link, peer } = await linked(WELCOME);
  await settled(link, peer);
  await new Promise((resolve) => setTimeout(resolve, 60));
  const before = numbers(peer).at(-1)?.[1] as number;
  peer.send(new Uint8Array(50));
  expect(await until(() => numbers(peer).find(([type, total]) => type === 1 && total === before + 50))).toBeDefined();
});

test("a call tells how far its arguments and its result have come", async () => {
  const { link, peer } = await linked(WELCOME);
  const seen: Transfer[] = [];
  const acknowledge = setInterval(() => peer.extension(1, peer.counted, 0), 2);
  const call = link.call("a.large", [new Uint8Array(2 ** 20)], undefined, { onTransfer: (transfer) => seen.push(transfer) });
  const request = await peer.next();
  clearInterval(acknowledge);
  expect(seen.length).toBeGreaterThan(2);
  expect(seen.map(({ sent }) => sent)).toEqual([...new Set(seen.map(({ sent }) => sent as number))].sort((a, b) => a - b));
  expect(seen.at(-1)?.sent).toBe(seen.at(-1)?.total);
  expect(seen.at(-1)?.total).toBeGreaterThan(2 ** 20);
  seen.length = 0;
  const text = encode({ wslink: "1.0", id: request.id, result: "x".repeat(1000) });
  for (let offset = 0; offset < text.length; offset += 300) {
    const header = new Uint32Array([77, offset, text.length]);
    peer.send(new Uint8Array([...new Uint8Array(header.buffer), ...text.subarray(offset, offset + 300)]));
  }
  expect(await call).toBe("x".repeat(1000));
  expect(seen).toEqual([300, 600, 900, text.length].map((received) => ({ received, total: text.length })));
});

test("onTransfer may throw, and a small call tells once each", async () => {
  const { link, peer } = await linked(WELCOME);
  const seen: Transfer[] = [];
  const onTransfer = (transfer: Transfer): void => {
    seen.push(transfer);
    throw new Error("a mistake");
  };
  const call = link.call("a.small", [], undefined, { onTransfer });
  peer.answer(await peer.next(), 5);
  expect(await call).toBe(5);
  expect(seen.map(({ sent, received, total }) => [sent === total, received === total])).toEqual([[true, false], [false, true]]);
  expect(reported).toHaveLength(2);
});
