// A session that outlives its connection (RES), against a scripted server.
import { randomBytes } from "node:crypto";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { type ConnectOptions, ConnectionError, type Link, type Reconnected, connect } from "../../src/index.js";
import { Unacknowledged } from "../../src/session/numbering.js";
import { CLIENT_ID, type Connection } from "../support/peer.js";
import { nextConnection, reported, url } from "../support/linked.js";

const FLOW = ["subscribe", "arrays", "flow", "resume"];

async function resumable(options: ConnectOptions = {}, resume: object = {}, features?: string[]): Promise<{ link: Link; peer: Connection }> {
  const linking = connect(await url(), { secret: "s3cret", ...options });
  const peer = await nextConnection();
  const hello = await peer.resumable(resume, { ...(features && { features }) });
  expect(hello.args[0]).toMatchObject({ resume: {} });
  return { link: await linking, peer };
}

function back(link: Link): Promise<Reconnected> {
  return new Promise((resolve) => link.addEventListener("reconnected", ({ detail }) => resolve(detail), { once: true }));
}

/** What the client says of itself on its return. */
interface Return {
  readonly token?: string;
  readonly received?: number;
  readonly missing?: number[];
}

/** Cuts the connection; resolves with the next one, the client's word in its hello, and what became of it. */
async function cut(link: Link, peer: Connection, resume: object, more: { sent?: number; features?: string[] } = {}): Promise<{ next: Connection; said: Return; verdict: Reconnected }> {
  peer.socket.terminate();
  const returned = back(link);
  const next = await nextConnection();
  const hello = await next.resumable({ token: "1".repeat(32), ...resume }, { sent: peer.number ?? 0, ...more });
  const [{ resume: said }] = hello.args as [{ resume: Return }];
  return { next, said, verdict: await returned };
}

async function until(look: () => unknown): Promise<void> {
  await vi.waitFor(() => expect(look()).toBeTruthy(), { timeout: 5000, interval: 5 });
}

const RESUMED = { resumed: true, received: 0, missing: [] };

let payloads: unknown[];
beforeEach(() => void (payloads = []));

async function subscribed(link: Link, peer: Connection): Promise<void> {
  const subscription = link.subscribe("a.b", (payload) => payloads.push(payload));
  peer.answer(await peer.next(), { delivery: "reliable" });
  await subscription.ready;
}

describe("a resumed session", () => {
  test("goes on: calls get their responses, subscriptions stay, and what was sent in vain is sent again under its number", async () => {
    const { link, peer } = await resumable();
    await subscribed(link, peer);
    const calls = [link.call("one"), link.call("two"), link.call("three")];
    for (let n = 0; n < 3; n++) await peer.next();
    expect(peer.numbers.slice(1)).toEqual([1, 2, 3, 4]);
    const { epoch } = link;
    // The server has the subscription and the second call.
    const { next, said, verdict } = await cut(link, peer, { ...RESUMED, received: 3, missing: [2] });
    expect(said).toEqual({ token: "0".repeat(32), received: 1, missing: [] });
    expect(verdict).toEqual({ resumed: true, reason: undefined, away: expect.any(Number) as number });
    expect([link.epoch, link.clientId, link.state]).toEqual([epoch, CLIENT_ID, "open"]);
    const [first, third] = [await next.next(), await next.next()];
    expect([first.method, third.method]).toEqual(["one", "three"]);
    expect(next.numbers).toEqual([0, 2, 4]);
    next.publish("a.b", "still", { subscriptions: [1] });
    for (const { id } of [third, { id: third.id.replace(/\d+$/, (n) => String(Number(n) - 1)) }, first]) next.answer({ id } as never, id);
    expect(await Promise.all(calls)).toHaveLength(3);
    expect(payloads).toEqual(["still"]);
    expect(reported).toEqual([]);
  });

  test("drops what it has, and takes what it lacks, in whatever order", async () => {
    const { link, peer } = await resumable();
    await subscribed(link, peer);
    for (const payload of ["two", "three", "five"]) {
      if (payload === "five") peer.number = 4;
      peer.publish("a.b", payload, { subscriptions: [1] });
    }
    await until(() => payloads.length === 3);
    const { next, said } = await cut(link, peer, { ...RESUMED, received: 1 }, { sent: 2 });
    expect(said).toEqual({ token: "0".repeat(32), received: 5, missing: [4] });
    for (const payload of ["three", "four", "five", "six"]) next.publish("a.b", payload, { subscriptions: [1] });
    await until(() => payloads.length === 5);
    expect(payloads).toEqual(["two", "three", "five", "four", "six"]);
  });

  test("sends calls that were made while it was away, behind those that were not received", async () => {
    const { link, peer } = await resumable();
    const calls = [link.call("one"), link.call("large", [new Uint8Array(3 * 2 ** 20)])];
    await peer.next();
    peer.socket.terminate();
    await until(() => link.state === "reconnecting");
    calls.push(link.call("two"));
    const next = await nextConnection();
    await next.resumable(RESUMED);
    for (const method of ["one", "large", "two"]) {
      const call = await next.next();
      expect(call.method).toBe(method);
      next.answer(call, method);
    }
    expect(await Promise.all(calls)).toEqual(["one", "large", "two"]);
    expect(next.numbers).toEqual([0, 1, 2, 3]);
  });

  test("sends a Blob again from its beginning, and paces it anew", async () => {
    const { link, peer } = await resumable({}, {}, FLOW);
    const bytes = randomBytes(2 ** 20);
    const call = link.call("upload", [new Blob([bytes])]);
    await until(() => peer.frames.length > 2);
    const { next } = await cut(link, peer, RESUMED, { features: FLOW });
    const acknowledge = setInterval(() => next.extension(1, next.counted, 0, 0, []), 2);
    const received = await next.next();
    clearInterval(acknowledge);
    expect(bytes.equals(received.args[0] as Uint8Array)).toBe(true);
    expect(next.numbers).toEqual([0, 1]);
    next.answer(received, "done");
    expect(await call).toBe("done");
  });

  test("does not keep what is acknowledged", async () => {
    const { link, peer } = await resumable();
    void link.call("one").catch(() => undefined);
    void link.call("two").catch(() => undefined);
    await peer.next();
    await peer.next();
    peer.extension(1, 0, 0, 1, []);
    peer.publish("c.d", 1, { subscriptions: [9] });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const { next } = await cut(link, peer, RESUMED);
    expect((await next.next()).method).toBe("two");
    expect(next.numbers).toEqual([0, 2]);
    await link.close();
  });

  test("forgets chunks of messages that had not arrived whole", async () => {
    const { link, peer } = await resumable();
    await subscribed(link, peer);
    peer.send(new Uint8Array([2, 0, 0, 0, 0, 0, 0, 0, 200, 0, 0, 0, 0x84, 1, 2, 3]));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const { next, said } = await cut(link, peer, { ...RESUMED, received: 1 });
    expect(said.received).toBe(1);
    next.publish("a.b", "whole", { subscriptions: [1] });
    await until(() => payloads.length > 0);
    expect([payloads, reported]).toEqual([["whole"], []]);
  });

  test("survives one cut after another, also in the middle of hello, and uses the newest token", async () => {
    const { link, peer } = await resumable({ reconnect: { initial: 20 } });
    const call = link.call("one");
    await peer.next();
    const returned = back(link);
    peer.socket.terminate();
    const second = await nextConnection();
    await second.next();
    second.socket.terminate();
    const third = await nextConnection();
    const hello = await third.resumable({ ...RESUMED, token: "2".repeat(32) });
    expect(hello.args[0]).toMatchObject({ resume: { token: "0".repeat(32) } });
    await returned;
    const { next, said } = await cut(link, third, RESUMED);
    expect(said.token).toBe("2".repeat(32));
    next.answer(await next.next(), "done");
    expect(await call).toBe("done");
  }, 20_000);

  test("says again what callbacks have dealt with (FLOW-5)", async () => {
    const { link, peer } = await resumable({}, {}, FLOW);
    await subscribed(link, peer);
    peer.publish("a.b", 1, { subscriptions: [1] });
    await until(() => peer.extensions.some(([type]) => type === 2));
    const { next } = await cut(link, peer, { ...RESUMED, received: 1 }, { features: FLOW });
    await until(() => next.extensions.some(([type, , count]) => type === 2 && count === 1));
    next.publish("a.b", 2, { subscriptions: [1] });
    await until(() => next.extensions.some(([type, , count]) => type === 2 && count === 2));
  });
});

describe("what callers give up", () => {
  const features = ["subscribe", "cancel", "flow", "resume"];

  test("while there is no connection, or unheard, is told after it (RES-2)", async () => {
    const { link, peer } = await resumable({}, {}, features);
    const aborts = [new AbortController(), new AbortController()];
    const calls = aborts.map(({ signal }, n) => link.call(`call.${n}`, [], {}, { signal }).catch(() => undefined));
    const ids = [(await peer.next()).id, (await peer.next()).id];
    aborts[0]?.abort();
    await until(() => peer.extensions.some(([type]) => type === 6));
    peer.socket.terminate();
    await until(() => link.state === "reconnecting");
    aborts[1]?.abort();
    await Promise.all(calls);
    const next = await nextConnection();
    await next.resumable({ ...RESUMED, received: 2 }, { features });
    await until(() => next.extensions.filter(([type]) => type === 6).length === 2);
    expect(next.extensions.filter(([type]) => type === 6)).toEqual(ids.map((id) => [6, id]));
  });

  test("a message that the server ends counts as received, on later connections too (CAN-3)", async () => {
    const { link, peer } = await resumable({ reconnect: { initial: 20 } }, {}, features);
    const end = new Uint8Array([1, 0, 0, 0, 100, 0, 0, 0, 100, 0, 0, 0]);
    peer.send(end);
    peer.number = 1;
    const { next, said } = await cut(link, peer, RESUMED, { features });
    expect(said).toMatchObject({ received: 1, missing: [] });
    next.send(Uint8Array.from(end, (byte, at) => (at === 0 ? 2 : byte)));
    next.number = 2;
    const again = await cut(link, next, RESUMED, { features });
    expect([again.said, reported]).toEqual([{ token: "1".repeat(32), received: 2, missing: [] }, []]);
  }, 20_000);
});

describe("acknowledgements (RES-5)", () => {
  test("come within a second, with what has arrived and what is missing", async () => {
    const { peer } = await resumable();
    peer.publish("c.d", 1, { subscriptions: [9] });
    peer.number = 2;
    peer.publish("c.d", 3, { subscriptions: [9] });
    const begun = performance.now();
    await until(() => peer.extensions.length > 0);
    expect(peer.extensions[0]).toEqual([1, expect.any(Number), expect.any(Number), 3, [2]]);
    expect(performance.now() - begun).toBeGreaterThan(500);
    expect(performance.now() - begun).toBeLessThan(1500);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    expect(peer.extensions).toHaveLength(1);
  });

  test("come at once for every MiB", async () => {
    const { peer } = await resumable();
    const begun = performance.now();
    peer.publish("c.d", new Uint8Array(2 ** 20), { subscriptions: [9] });
    await until(() => peer.extensions.length > 0);
    expect(performance.now() - begun).toBeLessThan(500);
    expect(peer.extensions[0]?.slice(3)).toEqual([1, []]);
  });

  test("a message that is given up counts as received: it is not to come again", async () => {
    const { link, peer } = await resumable({ maxMessage: 1000 });
    const call = link.call("one");
    peer.answer(await peer.next(), "x".repeat(2000));
    await expect(call).rejects.toMatchObject({ code: -32003 });
    const { said } = await cut(link, peer, { ...RESUMED, received: 1 });
    expect(said).toMatchObject({ received: 1, missing: [] });
  });

  test("a number too far ahead is malformed", async () => {
    const { link, peer } = await resumable({ maxPartial: 4 });
    await subscribed(link, peer);
    peer.number = 6;
    peer.publish("a.b", "seven", { subscriptions: [1] });
    await until(() => reported.length > 0);
    expect(reported).toMatchObject([{ name: "ProtocolError", code: -32700 }]);
    peer.number = 5;
    peer.publish("a.b", "six", { subscriptions: [1] });
    await until(() => payloads.length > 0);
    expect(payloads).toEqual(["six"]);
  });
});

describe("a session that cannot be resumed", () => {
  test.each(["expired", "overflow", "restarted", "refused"])("because it is %s begins anew", async (reason) => {
    const { link, peer } = await resumable();
    await subscribed(link, peer);
    const { epoch } = link;
    const uncertain = link.call("one");
    const again = link.call("two", [], {}, { retry: true });
    uncertain.catch(() => undefined);
    await peer.next();
    await peer.next();
    peer.socket.terminate();
    await until(() => link.state === "reconnecting");
    const late = link.call("late");
    const { next, verdict } = await cut(link, peer, { resumed: false, reason, epoch: "two" }, { sent: 0 });
    expect(verdict).toMatchObject({ resumed: false, reason });
    expect(link.epoch).not.toBe(epoch);
    await expect(uncertain).rejects.toMatchObject({ name: "ConnectionError", code: 1006 });
    const [subscribe, two, last] = [await next.next(), await next.next(), await next.next()];
    expect([subscribe.method, two.method, last.method]).toEqual(["wslink.subscribe", "two", "late"]);
    expect(next.numbers).toEqual([0, 1, 2, 3]);
    next.answer(subscribe, { delivery: "reliable" });
    next.publish("a.b", "retained", { subscriptions: [1] });
    next.answer(two, 2);
    next.answer(last, 3);
    expect([await again, await late]).toEqual([2, 3]);
    expect(payloads).toEqual(["retained"]);
  });

  test("as more was sent than is kept asks for none, and goes on as long as its connection does", async () => {
    const { link, peer } = await resumable({ maxResume: 100_000 });
    const large = link.call("large", [new Uint8Array(200_000)]);
    peer.answer(await peer.next(), "large");
    expect(await large).toBe("large");
    const call = link.call("one");
    await peer.next();
    peer.socket.terminate();
    await expect(call).rejects.toBeInstanceOf(ConnectionError);
    const returned = back(link);
    const next = await nextConnection();
    const hello = await next.resumable({ epoch: "two" });
    expect((hello.args[0] as { resume: object }).resume).toEqual({});
    expect(await returned).toMatchObject({ resumed: false, reason: "overflow" });
  });

  test("as more was sent than is kept can be resumed once the server has it all (RES-4)", async () => {
    const { link, peer } = await resumable({ maxResume: 100_000 });
    const large = link.call("large", [new Uint8Array(200_000)]);
    const call = await peer.next();
    peer.extension(1, 0, 0, 1, []);
    await new Promise((resolve) => setTimeout(resolve, 30));
    const { next, verdict } = await cut(link, peer, { ...RESUMED, received: 1 }, { sent: 1 });
    expect(verdict).toMatchObject({ resumed: true });
    next.answer(call, "large");
    expect(await large).toBe("large");
  });

  test("keeps no more than it may of calls that wait", async () => {
    const { link, peer } = await resumable({ maxResume: 100_000 });
    peer.socket.terminate();
    await until(() => link.state === "reconnecting");
    const waiting = link.call("first", [new Uint8Array(90_000)]);
    await expect(link.call("second", [new Uint8Array(20_000)])).rejects.toThrow("maxResume");
    const next = await nextConnection();
    await next.resumable(RESUMED);
    next.answer(await next.next(), 1);
    expect(await waiting).toBe(1);
  });
});

describe("a line without a sign of life (RES-11)", () => {
  test("is asked for one, and given up where none comes", async () => {
    const { link, peer } = await resumable({}, { heartbeat: 0.2 });
    await until(() => peer.extensions.some((items) => items[0] === 1 && items[5] === true));
    expect(peer.extensions.at(-1)).toEqual([1, 0, 0, 0, [], true]);
    const asked = performance.now();
    const returned = back(link);
    const next = await nextConnection();
    expect(performance.now() - asked).toBeGreaterThan(4500);
    await next.resumable(RESUMED);
    expect((await returned).resumed).toBe(true);
    // What still comes over the old connection counts no more.
    peer.publish("a.b", "late", { subscriptions: [1] });
    await link.close();
  }, 20_000);

  test("is kept where the server acknowledges", async () => {
    const { link, peer } = await resumable({}, { heartbeat: 0.1 });
    const answering = setInterval(() => {
      if (peer.extensions.splice(0).some((items) => items[5] === true)) peer.extension(1, peer.counted, 0, 0, []);
    }, 10);
    await new Promise((resolve) => setTimeout(resolve, 6000));
    clearInterval(answering);
    expect(link.state).toBe("open");
  }, 20_000);

  test("the server's own question is answered at once", async () => {
    const { peer } = await resumable();
    peer.extension(1, 0, 0, 0, [], true);
    await until(() => peer.extensions.length > 0);
    expect(peer.extensions).toEqual([[1, 0, 0, 0, []]]);
  });
});

describe("a server that means harm, or errs", () => {
  test("names one subscription often: the publication comes once", async () => {
    const { link, peer } = await resumable();
    await subscribed(link, peer);
    peer.publish("a.b", "once", { subscriptions: Array<number>(100_000).fill(1) });
    peer.publish("a.b", "twice", { subscriptions: [1] });
    await until(() => payloads.includes("twice"));
    expect(payloads).toEqual(["once", "twice"]);
  });

  test("asks for acknowledgements all the time: it gets few, and then the one that counts", async () => {
    const { link, peer } = await resumable();
    for (let n = 0; n < 1000; n++) peer.extension(1, 0, 0, 0, [], true);
    const call = link.call("after");
    peer.answer(await peer.next(), 7);
    expect(await call).toBe(7);
    expect(peer.extensions.length).toBeLessThan(500);
  });

  test("names many messages as missing: that takes no time", () => {
    const sent = new Unacknowledged<number>();
    for (let n = 0; n < 20_000; n++) sent.number(n, 1);
    const missing = Array.from({ length: 20_000 }, (_, n) => n + 1);
    const begun = performance.now();
    sent.acknowledge(20_000, missing);
    expect(performance.now() - begun).toBeLessThan(100);
    expect(sent.size).toBe(20_000);
  });
});
