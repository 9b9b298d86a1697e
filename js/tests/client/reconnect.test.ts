// A link outlives its connection, with a server that cannot resume and with no server at all.
import { once } from "node:events";
import { afterEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { AuthenticationError, ConnectionError, type Link, type Reconnected, UsageError, connect } from "../../src/index.js";
import { Backoff } from "../../src/client/reconnect.js";
import { type Connection, ScriptedServer, WELCOME_WITH_FEATURES } from "../support/peer.js";
import { linked, nextConnection, reported, settled, url } from "../support/linked.js";

const QUICK = { reconnect: { initial: 20, max: 40 } };

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

function back(link: Link): Promise<Reconnected> {
  return new Promise((resolve) => link.addEventListener("reconnected", ({ detail }) => resolve(detail), { once: true }));
}

async function cut(link: Link, peer: Connection, welcome: unknown = WELCOME_WITH_FEATURES): Promise<Connection> {
  peer.socket.terminate();
  const returned = back(link);
  const next = await nextConnection();
  await next.welcome(welcome);
  await returned;
  return next;
}

describe("a link whose connection ends", () => {
  test("connects again, and says so", async () => {
    const { link, peer } = await linked();
    const states: string[] = [];
    link.addEventListener("statechange", () => states.push(link.state));
    const { epoch } = link;
    const returned = back(link);
    const next = await cut(link, peer, { ...WELCOME_WITH_FEATURES, clientID: `c${"1".repeat(32)}` });
    expect(await returned).toEqual({ resumed: false, reason: "unsupported", away: expect.any(Number) as number });
    expect(states).toEqual(["reconnecting", "open"]);
    expect(link.clientId).toBe(`c${"1".repeat(32)}`);
    expect(link.epoch).not.toBe(epoch);
    expect(link).toBeInstanceOf(EventTarget);
    await settled(link, next);
  });

  test("fails the calls that the server may have got, at once, and sends those that are made meanwhile", async () => {
    const { link, peer } = await linked();
    const uncertain = link.call("one");
    await peer.next();
    peer.socket.terminate();
    await expect(uncertain).rejects.toMatchObject({ name: "ConnectionError", code: 1006 });
    expect(link.state).toBe("reconnecting");
    const waiting = [link.call("two"), link.call("three", [new Uint8Array(2 ** 20)]), link.call("four")];
    const next = await nextConnection();
    await next.welcome();
    for (const method of ["two", "three", "four"]) {
      const call = await next.next();
      expect(call.method).toBe(method);
      next.answer(call, method);
    }
    expect(await Promise.all(waiting)).toEqual(["two", "three", "four"]);
  });

  test("makes a call again that may run twice", async () => {
    const { link, peer } = await linked();
    const result = link.call("one", [new Blob(["abc"])], {}, { retry: true });
    expect(await peer.next()).toMatchObject({ method: "one" });
    const next = await cut(link, peer);
    const call = await next.next();
    expect(call).toMatchObject({ method: "one", args: [new Uint8Array([97, 98, 99])] });
    next.answer(call, 1);
    expect(await result).toBe(1);
  });

  test("a call that is made while it is away can be given up", async () => {
    const { link, peer } = await linked();
    peer.socket.terminate();
    await once(peer.socket, "close");
    await vi.waitFor(() => expect(link.state).toBe("reconnecting"));
    const abort = new AbortController();
    const aborted = link.call("two", [], {}, { signal: abort.signal });
    abort.abort("changed my mind");
    await expect(aborted).rejects.toBe("changed my mind");
    const next = await nextConnection();
    await next.welcome();
    const third = link.call("three");
    const call = await next.next();
    expect(call.method).toBe("three");
    next.answer(call, 3);
    expect(await third).toBe(3);
  });

  test("subscribes again, with the filters in effect, before anything else goes", async () => {
    const { link, peer } = await linked();
    const payloads: unknown[] = [];
    const subscription = link.subscribe("a.b", (payload) => payloads.push(payload), { filter: { row: 1 } });
    const request = await peer.next();
    peer.answer(request, { delivery: "reliable" });
    await subscription.ready;
    const updated = subscription.update({ row: 2 });
    peer.answer(await peer.next(), { delivery: "reliable" });
    await updated;
    const cancelled = link.subscribe("c.d", () => undefined);
    peer.answer(await peer.next(), { delivery: "latest" });
    await cancelled.ready;
    void cancelled.cancel();
    await peer.next();
    peer.socket.terminate();
    await vi.waitFor(() => expect(link.state).toBe("reconnecting"));
    const late = link.call("late");
    const next = await nextConnection();
    await next.welcome();
    const again = await next.next();
    expect(again).toMatchObject({ method: "wslink.subscribe", args: [{ subscription: 1, topic: "a.b", filter: { row: 2 } }] });
    next.answer(again, { delivery: "latest" });
    const call = await next.next();
    expect(call.method).toBe("late");
    next.publish("a.b", "anew", { subscriptions: [1] });
    next.answer(call, 1);
    await late;
    expect(payloads).toEqual(["anew"]);
    expect(subscription.delivery).toBe("latest");
  });

  test("makes a subscription that had no answer yet, and reports one that is refused now", async () => {
    const { link, peer } = await linked();
    const first = link.subscribe("a.b", () => undefined);
    peer.answer(await peer.next(), { delivery: "reliable" });
    await first.ready;
    const second = link.subscribe("c.d", () => undefined);
    await peer.next();
    const next = await cut(link, peer);
    next.fail(await next.next(), { code: -32602, message: "no such topic" });
    const request = await next.next();
    expect(request.args).toEqual([{ subscription: 2, topic: "c.d" }]);
    next.answer(request, { delivery: "latest" });
    await second.ready;
    await settled(link, next);
    expect(reported).toMatchObject([{ name: "CallError", code: -32602 }]);
  });

  test("is closed where the server refuses the secret now", async () => {
    const { link, peer } = await linked(undefined, QUICK);
    const waiting = link.call("one", [], {}, { retry: true });
    await peer.next();
    peer.socket.terminate();
    const next = await nextConnection();
    next.fail(await next.next(), { code: -32000, message: "Authentication failed" });
    expect(await link.closed).toEqual({ code: 1008, reason: "Authentication failed: the secret is wrong" });
    await expect(waiting).rejects.toBeInstanceOf(ConnectionError);
    expect(link.state).toBe("closed");
  });

  test("tries until there is a server again", async () => {
    const server = new ScriptedServer();
    const target = await server.url();
    const linking = connect(target, QUICK);
    await (await server.connection()).welcome();
    const link = await linking;
    await server.stop();
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(link.state).toBe("reconnecting");
    const restarted = new ScriptedServer(Number(new URL(target).port));
    const returned = back(link);
    // Attempts that break before hello is answered are attempts like others.
    (await restarted.connection()).socket.terminate();
    await (await restarted.connection()).welcome();
    expect((await returned).away).toBeGreaterThan(140);
    expect((await link.close()).code).toBe(1000);
    await restarted.stop();
  });

  test("gives up after the time it was given", async () => {
    const server = new ScriptedServer();
    const linking = connect(await server.url(), { reconnect: { initial: 10, max: 20, giveUpAfter: 100 } });
    await (await server.connection()).welcome();
    const link = await linking;
    const call = link.call("one", [], {}, { retry: true });
    const begun = performance.now();
    await server.stop();
    await expect(call).rejects.toBeInstanceOf(ConnectionError);
    expect(performance.now() - begun).toBeGreaterThan(90);
    expect(await link.closed).toMatchObject({ code: 1006 });
    expect(link.state).toBe("closed");
  });

  test("tells the server that it does not come back where it gives up after hello", async () => {
    const { link, peer } = await linked(undefined, { reconnect: { giveUpAfter: 100 } });
    peer.socket.terminate();
    const { socket } = await nextConnection();
    expect((await once(socket, "close"))[0]).toBe(1000);
    expect(link.state).toBe("closed");
  });

  test("can be closed while it waits, and while it connects", async () => {
    for (const while_ of ["waiting", "connecting"]) {
      const { link, peer } = await linked(undefined, { reconnect: { initial: 60_000, max: 60_000 } });
      peer.socket.terminate();
      const next = await nextConnection();
      await next.next();
      if (while_ === "waiting") next.socket.terminate();
      await new Promise((resolve) => setTimeout(resolve, 30));
      expect(link.state).toBe("reconnecting");
      const call = expect(link.call("one")).rejects.toBeInstanceOf(ConnectionError);
      expect(await link.close()).toMatchObject({ code: 1000 });
      await call;
      expect(link.state).toBe("closed");
    }
  });

  test("that the server ends as soon as it is made is not tried again at once", async () => {
    vi.spyOn(Math, "random").mockReturnValue(1);
    const { link, peer } = await linked(undefined, { reconnect: { initial: 60_000 } });
    const second = await cut(link, peer);
    second.socket.terminate();
    const third = nextConnection();
    const waited = await Promise.race([third.then(() => false), new Promise((resolve) => setTimeout(resolve, 100, true))]);
    expect(waited).toBe(true);
  });

  test.each([["online", "globalThis"], ["visibilitychange", "document"]])("tries at once on %s of %s", async (event, where) => {
    const page = new EventTarget();
    vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
    vi.stubGlobal("removeEventListener", page.removeEventListener.bind(page));
    vi.stubGlobal("document", Object.assign(new EventTarget(), { visibilityState: "visible" }));
    const { link, peer } = await linked(undefined, { reconnect: { initial: 60_000, max: 60_000 } });
    const second = await cut(link, peer);
    vi.spyOn(Math, "random").mockReturnValue(1);
    second.socket.terminate();
    await vi.waitFor(() => expect(link.state).toBe("reconnecting"));
    (where === "document" ? (globalThis as { document?: EventTarget }).document : page)?.dispatchEvent(new Event(event));
    await (await nextConnection()).welcome();
    await vi.waitFor(() => expect(link.state).toBe("open"));
  });

  test("returns beside what stands in for a page, and knows no events", async () => {
    vi.stubGlobal("document", { baseURI: "http://page/" });
    const { link, peer } = await linked(undefined, QUICK);
    const second = await cut(link, peer);
    second.socket.terminate();
    const third = await nextConnection();
    await third.welcome();
    await settled(link, third);
  });

  test("gives up a connection that fails to send, however long its error is", async () => {
    let broken = false;
    class Breaking extends WebSocket {
      override send(frame: Uint8Array): void {
        if (broken) throw new Error("ü".repeat(500));
        super.send(frame);
      }
    }
    const { link, peer } = await linked(undefined, { ...QUICK, WebSocket: Breaking as never });
    const closed = once(peer.socket, "close");
    broken = true;
    await expect(link.call("a.b")).rejects.toMatchObject({ name: "ConnectionError", reason: expect.stringContaining("üü") as string });
    broken = false;
    expect((await closed)[0]).toBe(4000);
    const next = await nextConnection();
    await next.welcome();
    await settled(link, next);
  });

  test("is closed with it where it is not to reconnect, or has no URL to connect to", async () => {
    const { link, peer } = await linked(undefined, { reconnect: false });
    peer.socket.close(1001, "the server stops");
    expect(await link.closed).toEqual({ code: 1001, reason: "the server stops" });
  });

  test.each([{ initial: -1 }, { max: NaN }, { giveUpAfter: "1" as never }])("takes no times such as %o", async (reconnect) => {
    await expect(connect(await url(), { reconnect })).rejects.toBeInstanceOf(UsageError);
  });

  test("the first connection is tried once", async () => {
    await expect(connect("ws://127.0.0.1:1/ws")).rejects.toBeInstanceOf(ConnectionError);
    const linking = connect(await url());
    const peer = await nextConnection();
    peer.fail(await peer.next(), { code: -32000, message: "Authentication failed" });
    await expect(linking).rejects.toBeInstanceOf(AuthenticationError);
  });

  test("what a callback settles of a session that is over is not counted in the next (FLOW-5)", async () => {
    const welcome = { ...WELCOME_WITH_FEATURES, features: ["subscribe", "flow"] };
    const { link, peer } = await linked(welcome);
    let done: () => void = () => undefined;
    const subscription = link.subscribe("a.b", () => new Promise<void>((resolve) => (done = resolve)));
    peer.answer(await peer.next(), { delivery: "latest" });
    await subscription.ready;
    peer.publish("a.b", 1, { subscriptions: [1] });
    await settled(link, peer);
    const next = await cut(link, peer, welcome);
    next.answer(await next.next(), { delivery: "latest" });
    done();
    await settled(link, next);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(next.extensions.filter(([type]) => type === 2)).toEqual([]);
  });
});

test.each([[0, 1001], [300, 1006], [1500, 1006], [4000, 1001], [8500, 1006]])("1,000 clients of a server that was away for %i ms (%i) are back within 10 s, spread", async (away, code) => {
  // Each client has a clock of its own, which its waits advance: none of them is really waited for.
  let clock = 0;
  vi.spyOn(performance, "now").mockImplementation(() => clock);
  vi.stubGlobal("setTimeout", (done: () => void, delay: number) => {
    clock += delay;
    queueMicrotask(done);
  });
  let state = 1;
  vi.spyOn(Math, "random").mockImplementation(() => (state = (state * 48271) % 2147483647) / 2147483647);
  const seconds: number[] = [];
  for (let client = 0; client < 1000; client++) {
    clock = 0;
    const { signal } = new AbortController();
    const backoff = new Backoff({});
    backoff.ended(code);
    do await backoff.wait(signal);
    while (clock < away);
    const second = Math.floor((clock - away) / 1000);
    seconds[second] = (seconds[second] ?? 0) + 1;
  }
  expect(seconds.length).toBeLessThanOrEqual(10);
  expect(Math.max(...seconds.map((count) => count))).toBeLessThan(0.25 * 1000);
});

test.each([{ initial: 2 ** 40, max: 2 ** 40 }, { initial: Infinity, max: Infinity }, { max: Infinity, initial: 2 ** 31 }])("a wait is no longer than timers know, or it would be none: %o", async (options) => {
  vi.useFakeTimers();
  const backoff = new Backoff(options);
  await backoff.wait(new AbortController().signal);
  for (let attempt = 0; attempt < 3; attempt++) {
    let waited = false;
    const end = new AbortController();
    const wait = backoff.wait(end.signal).then(() => (waited = true));
    await vi.advanceTimersByTimeAsync(1000);
    expect(waited).toBe(false);
    end.abort();
    await wait;
  }
});
