// Connections of the released API, ours beside npm 2.5.0, against a scripted server.
import { afterEach, describe, expect, test, vi } from "vitest";
import type { SocketLike } from "../../src/compat/socket.js";
import { MAKERS, failure, opened, ours, watch } from "../support/compat.js";
import { nextConnection, url } from "../support/linked.js";
import { WELCOME } from "../support/peer.js";

describe.each(MAKERS)("%s", (_, make) => {
  test("says hello as released clients do, announcing nothing", async () => {
    const { WebsocketConnection } = await make();
    WebsocketConnection.newInstance({ urls: await url(), secret: "s3cret" }).connect();
    const peer = await nextConnection();
    const hello = await peer.next();
    expect(hello).toMatchObject({ wslink: "1.0", id: "system:c0:0", method: "wslink.hello" });
    expect(hello.args).toEqual([{ secret: "s3cret" }]);
  });

  test("has no session before it connects, and none after its end", async () => {
    const { WebsocketConnection } = await make();
    const connection = WebsocketConnection.newInstance({ urls: await url() });
    expect(connection.getSession()).toBe(null);
    expect(connection.connect()).toBe(connection.getSession());
    connection.destroy();
    expect(connection.getSession()).toBe(undefined);
    expect(connection.connect()).toBe(null);
    connection.destroy();
  });

  test.each([undefined, "", null as never])("has a secret for servers without one (%o)", async (secret) => {
    const { WebsocketConnection } = await make();
    WebsocketConnection.newInstance({ urls: [await url(), "ws://elsewhere/ws"], secret }).connect();
    expect((await (await nextConnection()).next()).args).toEqual([{ secret: "wslink-secret" }]);
  });

  test("fires ready, with itself, once the server has accepted", async () => {
    const { WebsocketConnection } = await make();
    const connection = WebsocketConnection.newInstance({ urls: await url() });
    const ready = new Promise((resolve) => connection.onConnectionReady(resolve));
    connection.connect();
    await (await nextConnection()).welcome(WELCOME);
    expect(await ready).toBe(connection);
    expect(connection.getUrl()).toBe(await url());
    expect(connection.isA("WebsocketConnection")).toBe(true);
    expect(Object.isFrozen(connection)).toBe(true);
  });

  test("fires an error where the secret is refused", async () => {
    const { WebsocketConnection } = await make();
    const connection = WebsocketConnection.newInstance({ urls: await url(), secret: "wrong" });
    const { events, fired } = watch(connection);
    connection.connect();
    const peer = await nextConnection();
    const refusal = { code: -32000, message: "Authentication failed" };
    peer.fail(await peer.next(), refusal);
    expect(await fired("error")).toStrictEqual([refusal]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(events).toHaveLength(1);
    peer.socket.close(1008);
    expect(await fired("close")).toMatchObject([{ code: 1008 }]);
  });

  test("fires an error and a close where nobody listens", async () => {
    const { WebsocketConnection } = await make();
    const connection = WebsocketConnection.newInstance({ urls: "ws://127.0.0.1:9/ws" });
    const { events, fired } = watch(connection);
    connection.connect();
    expect(await fired("close")).toMatchObject([{ code: 1006 }]);
    expect(events.map(([name]) => name)).toEqual(["error", "close"]);
    expect(connection.getUrl()).toBeUndefined();
  });

  test.each(["http://page/ws", "nonsense"])("fires an error for the URL %s", async (urls) => {
    const { WebsocketConnection } = await make();
    const connection = WebsocketConnection.newInstance({ urls });
    const { fired } = watch(connection);
    expect(connection.connect()).toBeNull();
    expect(await fired("error")).toEqual([expect.any(Error)]);
  });

  test("does nothing without a URL", async () => {
    const { WebsocketConnection } = await make();
    expect(WebsocketConnection.newInstance({}).connect()).toBeNull();
  });

  test("tells how the server closed", async () => {
    const { peer, fired, connection } = await opened(make);
    peer.socket.close(4001, "enough");
    expect(await fired("close")).toMatchObject([{ code: 4001, reason: "enough" }]);
    expect(connection.getUrl()).toBeUndefined();
  });

  test("tells of a session that the application closes", async () => {
    const { session, fired } = await opened(make);
    await session.close();
    expect(await fired("close")).toMatchObject([{ code: 1005 }]);
  });

  test("is connected once, however often it is told to", async () => {
    const { connection, session, peer } = await opened(make);
    expect(connection.connect()).toBe(session);
    void session.call("any").catch(() => undefined);
    expect((await peer.next()).method).toBe("any");
  });

  test.each([
    [[60], [60]],
    [[], [10]],
    [[-1], undefined],
    [[0], undefined],
  ])("destroy(%o) has the server exit in %o seconds", async (args, seconds) => {
    const { connection, peer, events } = await opened(make);
    const closed = new Promise((resolve) => peer.socket.once("close", resolve));
    connection.destroy(...args);
    await closed;
    const calls = peer.frames.length - 1;
    expect(calls).toBe(seconds ? 1 : 0);
    if (seconds) expect(await peer.next()).toMatchObject({ method: "application.exit.later", args: seconds });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(events.map(([name]) => name)).toEqual(["ready"]);
  });

  test("callbacks end when they are unsubscribed", async () => {
    const { WebsocketConnection } = await make();
    const connection = WebsocketConnection.newInstance({ urls: await url() });
    const one = vi.fn();
    connection.onConnectionReady(one).unsubscribe();
    const { fired } = watch(connection);
    connection.connect();
    await (await nextConnection()).welcome(WELCOME);
    await fired("ready");
    expect(one).not.toHaveBeenCalled();
  });

  describe("over a stand-in for WebSocket", () => {
    afterEach(() => {
      Reflect.deleteProperty(globalThis, "WSLINK");
    });

    test("which WSLINK makes, delivers blobs and knows no listeners", async () => {
      const sockets: string[] = [];
      const createWebSocket = (target: string): SocketLike => {
        sockets.push(target);
        return standIn(new WebSocket(target));
      };
      Object.assign(globalThis, { WSLINK: { createWebSocket } });
      const { session, peer } = await opened(make, { wsProxy: true });
      expect(sockets).toEqual([await url()]);
      const seen: unknown[] = [];
      session.subscribe("news", ([payload]) => seen.push(payload));
      const result = session.call("any", [1]);
      const call = await peer.next();
      expect(call.args).toEqual([1]);
      peer.together(() => {
        for (let n = 0; n < 20; n++) peer.publish("news", n);
        peer.answer(call, "done");
      });
      expect(await result).toBe("done");
      expect(seen).toEqual([...Array(20).keys()]);
    });

    test("an error where there is none", async () => {
      const { WebsocketConnection } = await make();
      const connection = WebsocketConnection.newInstance({ urls: await url(), wsProxy: true });
      const { fired } = watch(connection);
      expect(connection.connect()).toBeNull();
      expect(await fired("error")).toEqual([expect.any(Error)]);
    });
  });
});

/** What Jupyter's page has for a WebSocket: setters for callbacks, no URL, and blobs whatever is asked for. */
function standIn(socket: WebSocket): SocketLike {
  socket.binaryType = "blob";
  const set = (name: string) => (callback: unknown) => socket.addEventListener(name, callback as () => void);
  const fake = { send: (data: Uint8Array<ArrayBuffer>) => socket.send(data), close: () => socket.close() };
  for (const name of ["open", "message", "close", "error"]) Object.defineProperty(fake, `on${name}`, { set: set(name) });
  Object.defineProperty(fake, "readyState", { get: () => socket.readyState });
  return fake as unknown as SocketLike;
}

describe("ours", () => {
  test("defect 23: retry connects again after a break, with the session's subscriptions", async () => {
    const { connection, session, peer, events, fired } = await opened(ours, { retry: 3 });
    const seen: unknown[] = [];
    session.subscribe("news", ([payload]) => seen.push(payload));
    const waiting = session.call("any");
    peer.socket.terminate();
    expect(await failure(waiting)).toMatchObject({ code: -32099 });
    await fired("close");
    const again = await nextConnection();
    await again.welcome(WELCOME);
    await vi.waitFor(() => expect(events.map(([name]) => name)).toEqual(["ready", "close", "ready"]));
    expect(connection.getSession()).toBe(session);
    again.publish("news", "after");
    await vi.waitFor(() => expect(seen).toEqual(["after"]));
    connection.destroy(-1);
  });

  test("defect 23: retry tries in vain so many times, and tells once", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { WebSocket } = globalThis;
    const opening = vi.fn();
    globalThis.WebSocket = class extends WebSocket {
      constructor(...args: ConstructorParameters<typeof WebSocket>) {
        super(...args);
        opening();
      }
    };
    try {
      const { WebsocketConnection } = await ours();
      const connection = WebsocketConnection.newInstance({ urls: "ws://127.0.0.1:9/ws", retry: 2 });
      const { events } = watch(connection);
      connection.connect();
      for (let turn = 0; turn < 50 && events.length < 2; turn++) {
        await new Promise((resolve) => setImmediate(resolve));
        await vi.advanceTimersByTimeAsync(100);
      }
      expect(events.map(([name]) => name)).toEqual(["error", "close"]);
      expect(opening).toHaveBeenCalledTimes(3);
    } finally {
      globalThis.WebSocket = WebSocket;
      vi.useRealTimers();
    }
  });

  test("retry does not knock again where the secret was refused, or the application closed", async () => {
    const { WebsocketConnection } = await ours();
    const connection = WebsocketConnection.newInstance({ urls: await url(), retry: true });
    const { fired } = watch(connection);
    connection.connect();
    const peer = await nextConnection();
    peer.fail(await peer.next(), { code: -32000, message: "Authentication failed" });
    await fired("error");
    peer.socket.close();
    await fired("close");
    const { session, ...other } = await opened(ours, { retry: true });
    void session.close();
    await other.fired("close");
    const knocked = await Promise.race([nextConnection(), new Promise((resolve) => setTimeout(resolve, 700, "nobody"))]);
    expect(knocked).toBe("nobody");
  });

  test("destroy ends the attempts", async () => {
    const { connection, peer, fired } = await opened(ours, { retry: true });
    peer.socket.terminate();
    await fired("close");
    connection.destroy();
    const knocked = await Promise.race([nextConnection(), new Promise((resolve) => setTimeout(resolve, 700, "nobody"))]);
    expect(knocked).toBe("nobody");
  });

  test("connects anew after its end", async () => {
    const { connection, session, events, fired } = await opened(ours);
    void session.close();
    await fired("close");
    expect(connection.connect()).toBe(session);
    const peer = await nextConnection();
    await peer.welcome(WELCOME);
    await vi.waitFor(() => expect(events.map(([name]) => name)).toEqual(["ready", "close", "ready"]));
    const call = session.call("any");
    peer.answer(await peer.next(), 1);
    expect(await call).toBe(1);
  });
});
