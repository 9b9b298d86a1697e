// WsLinkClient over our SmartConnect and over npm 2.5.0's, against a scripted server.
import { afterEach, describe, expect, test, vi } from "vitest";
import { SmartConnect } from "../../src/index.js";
import { type IWsLinkClientInitialValues, type Protocols, type Remote, WsLinkClient, setSmartConnectClass } from "../../src/compat/WsLinkClient.js";
import type { ConfigDecorator } from "../../src/compat/SmartConnect.js";
import type { WebsocketSession } from "../../src/compat/WebsocketConnection.js";
import { MAKERS, failure } from "../support/compat.js";
import { nextConnection, url } from "../support/linked.js";
import { type Connection, WELCOME } from "../support/peer.js";

const protocols = {
  Cone: (session: WebsocketSession) => ({
    resolution: (count: number) => session.call<string>("cone.resolution", [count]),
    subscribe: (callback: (args: [unknown]) => void) => session.subscribe("cone", callback),
    plain: () => 7,
  }),
};

describe.each(MAKERS)("%s", (_, make) => {
  async function connected(more: IWsLinkClientInitialValues<typeof protocols> = {}): Promise<{ client: WsLinkClient<typeof protocols>; peer: Connection }> {
    setSmartConnectClass((await make()).SmartConnect);
    const client = WsLinkClient.newInstance({ protocols, notBusyList: ["subscribe"], notificationTimeout: 5, ...more });
    const connecting = client.connect({ sessionURL: await url(), secret: "s3cret" });
    const peer = await nextConnection();
    await peer.welcome(WELCOME);
    expect(await connecting).toBe(client);
    return { client, peer };
  }

  afterEach(() => setSmartConnectClass(SmartConnect));

  test("has the protocols' methods once it is connected", async () => {
    const { client, peer } = await connected();
    expect(client.isConnected()).toBe(true);
    expect(client.getConfig()).toMatchObject({ secret: "s3cret" });
    expect(client.getConnection()?.getUrl()).toBe(await url());
    const answer = client.getRemote().Cone.resolution(6);
    const call = await peer.next();
    expect(call).toMatchObject({ method: "cone.resolution", args: [6] });
    peer.answer(call, "six");
    expect(await answer).toBe("six");
    const subscription = client.getRemote().Cone.subscribe(() => undefined);
    expect(subscription.topic).toBe("cone");
  });

  test("is busy while calls are under way, and idle a while after", async () => {
    const { client, peer } = await connected();
    const counts: number[] = [];
    client.onBusyChange((count) => counts.push(count));
    const answers = [client.getRemote().Cone.resolution(1), client.getRemote().Cone.resolution(2)];
    expect(client.isBusy()).toBe(true);
    peer.answer(await peer.next(), "a");
    peer.fail(await peer.next(), { code: 1, message: "no" });
    await Promise.allSettled(answers);
    expect(client.isBusy()).toBe(false);
    expect(counts).toEqual([1, 2, 1]);
    await vi.waitFor(() => expect(counts).toEqual([1, 2, 1, 0]));
    client.beginBusy();
    client.endBusy();
    await vi.waitFor(() => expect(counts).toEqual([1, 2, 1, 0, 1, 0]));
    expect(await Promise.resolve(client.getRemote().Cone.plain())).toBe(7);
    expect(client.isBusy()).toBe(false);
  });

  test("takes and loses protocols while connected", async () => {
    const { client, peer } = await connected();
    client.registerProtocol("Late", (session) => ({ hello: () => session.call("late.hello") }));
    const remote: Remote<Protocols> = client.getRemote();
    const answer = remote.Late?.hello?.();
    peer.answer(await peer.next(), "hi");
    expect(await answer).toBe("hi");
    client.unregisterProtocol("Late");
    expect(remote.Late).toBeUndefined();
  });

  test("disconnects, and can connect again", async () => {
    const { client, peer } = await connected();
    expect(await failure(client.connect({ sessionURL: await url() }))).toBeInstanceOf(Error);
    client.disconnect(30);
    expect(await peer.next()).toMatchObject({ method: "application.exit.later", args: [30] });
    expect([client.isConnected(), client.getConnection()]).toEqual([false, null]);
    const again = client.connect({ sessionURL: await url() });
    await (await nextConnection()).welcome(WELCOME);
    expect(await again).toBe(client);
    client.disconnect(-1);
  });

  test("tells of the server's end", async () => {
    const { client, peer } = await connected();
    const closed = new Promise((resolve) => client.onConnectionClose((...args) => resolve(args)));
    peer.socket.close(4001, "enough");
    expect(await closed).toMatchObject([client.getConnection(), { code: 4001 }]);
    expect(client.isConnected()).toBe(false);
  });

  test("rejects where it cannot connect", async () => {
    setSmartConnectClass((await make()).SmartConnect);
    const client = WsLinkClient.newInstance();
    const errors = vi.fn();
    client.onConnectionError(errors);
    const connection = await failure(client.connect({ sessionURL: "ws://127.0.0.1:9/ws" }));
    expect(connection).toHaveProperty("getSession");
    expect(errors.mock.calls[0]?.[0]).toBe(connection);
  });
});

describe("ours", () => {
  test("has a class to connect with, and settings", () => {
    const client = WsLinkClient.newInstance();
    const decorator: ConfigDecorator = (config) => config;
    expect([client.setConfigDecorator(decorator), client.setConfigDecorator(decorator)]).toEqual([true, false]);
    expect([client.setNotBusyList(["a"]), client.getNotBusyList()]).toEqual([true, ["a"]]);
    expect([client.setProtocols({}), client.getProtocols()]).toEqual([true, {}]);
    expect(client.getConfigDecorator()).toBe(decorator);
    expect([client.isBusy(), client.isConnected(), client.getConnection(), client.getConfig()]).toEqual([false, false, null, undefined]);
    expect(client.getRemote()).toEqual({});
  });

  test("runs callbacks at once, so that a client is ready once connect resolves", () => {
    const client = WsLinkClient.newInstance();
    const seen: number[] = [];
    client.onBusyChange((count) => seen.push(count));
    client.invokeBusyChange(4);
    client.fireBusyChange(5);
    expect(seen).toEqual([4, 5]);
  });
});
