// SmartConnect, ours beside npm 2.5.0, against a scripted launcher and server.
import { afterEach, describe, expect, test, vi } from "vitest";
import type { ISmartConnectConfig, ISmartConnectInitialValues, SmartConnect } from "../../src/compat/SmartConnect.js";
import { Launcher } from "../support/launcher.js";
import { type Compat, MAKERS, PAGE, watch } from "../support/compat.js";
import { nextConnection, url } from "../support/linked.js";
import { type Connection, WELCOME } from "../support/peer.js";

interface Started extends ReturnType<typeof watch> {
  readonly smart: SmartConnect;
}

async function start(make: () => Promise<Compat>, initialValues: ISmartConnectInitialValues): Promise<Started> {
  const { SmartConnect } = await make();
  const smart = SmartConnect.newInstance(initialValues);
  const watched = watch(smart);
  smart.connect();
  return { smart, ...watched };
}

async function welcome(): Promise<Connection> {
  const peer = await nextConnection();
  await peer.welcome(WELCOME);
  return peer;
}

afterEach(() => {
  Object.assign(globalThis, { location: PAGE });
  Reflect.deleteProperty(globalThis, "WSLINK");
});

describe.each(MAKERS)("%s", (_, make) => {
  test("connects to a session's URL", async () => {
    const config = { sessionURL: await url(), secret: "s3cret" };
    const { smart, fired } = await start(make, { config });
    const peer = await nextConnection();
    expect((await peer.welcome(WELCOME)).args).toEqual([{ secret: "s3cret" }]);
    await fired("ready");
    expect(smart.getConfig()).toMatchObject(config);
    const call = smart.getSession().call("any", [1]);
    peer.answer(await peer.next(), "answer");
    expect(await call).toBe("answer");
    expect(smart.isA("SmartConnect")).toBe(true);
    peer.socket.close(4001);
    expect(await fired("close")).toMatchObject([{ code: 4001 }]);
  });

  test("hands the connection to its callbacks", async () => {
    const { SmartConnect } = await make();
    const smart = SmartConnect.newInstance({ config: { sessionURL: await url() } });
    const ready = new Promise<{ getSession(): unknown; getUrl(): unknown }>((resolve) => smart.onConnectionReady(resolve));
    smart.connect();
    await welcome();
    const connection = await ready;
    expect(connection.getSession()).toBe(smart.getSession());
    expect(connection.getUrl()).toBe(await url());
  });

  test.each([
    ["USE_HOST", "ws://127.0.0.1:9/ws?token=USE_HOSTNAME", { host: "", hostname: "name" }],
  ])("puts the page's host for %s", async (...[, sessionURL, location]) => {
    Object.assign(globalThis, { location: { ...PAGE, ...location } });
    const { smart } = await start(make, { config: { sessionURL } });
    expect(smart.getConfig().sessionURL).toBe("ws://127.0.0.1:9/ws?token=name");
  });

  test("lets the application rewrite the configuration", async () => {
    const target = await url();
    const configDecorator = (config: ISmartConnectConfig): ISmartConnectConfig => ({ ...config, sessionURL: target, secret: "better" });
    const { smart, fired } = await start(make, { config: { application: "a" }, configDecorator });
    expect((await (await nextConnection()).welcome(WELCOME)).args).toEqual([{ secret: "better" }]);
    await fired("ready");
    expect(smart.getConfig()).toMatchObject({ application: "a", sessionURL: target });
    expect(smart.getConfigDecorator()).toBe(configDecorator);
    smart.setConfigDecorator(null);
    expect(smart.getConfigDecorator()).toBeNull();
  });

  test.each([{ wsProxy: true, iframe: false }, { sessionURL: "wss://given/", iframe: true }])("has WSLINK make the socket for %o", async (config) => {
    const target = await url();
    const createWebSocket = vi.fn(() => new WebSocket(target));
    Object.assign(globalThis, { WSLINK: { createWebSocket } });
    const { fired } = await start(make, { config });
    await welcome();
    await fired("ready");
    expect(createWebSocket).toHaveBeenCalledWith(config.sessionURL ?? "wss://proxy/");
  });

  test("destroy(timeout) has the server exit", async () => {
    const { smart, fired } = await start(make, { config: { sessionURL: await url() } });
    const peer = await welcome();
    await fired("ready");
    const closed = new Promise((resolve) => peer.socket.once("close", resolve));
    smart.destroy(30);
    expect(await peer.next()).toMatchObject({ method: "application.exit.later", args: [30] });
    await closed;
    expect(smart.getSession()).toBeNull();
  });

  test("destroy() lets it run", async () => {
    const { smart, fired } = await start(make, { config: { sessionURL: await url() } });
    const peer = await welcome();
    await fired("ready");
    const closed = new Promise((resolve) => peer.socket.once("close", resolve));
    smart.destroy();
    await closed;
    expect(peer.frames).toHaveLength(1);
  });

  describe("with a launcher", () => {
    test("has it start a server", async () => {
      const launcher = new Launcher([200, { id: "7", sessionURL: await url(), secret: "new" }]);
      const config = { sessionManagerURL: "http://launch/", application: "cone", size: 4, headers: { token: "t" } };
      const { smart, fired } = await start(make, { config });
      expect((await (await nextConnection()).welcome(WELCOME)).args).toEqual([{ secret: "new" }]);
      await fired("ready");
      const body = { sessionManagerURL: "http://launch/", application: "cone", size: 4 };
      expect(launcher.requests).toEqual([{ method: "POST", url: "http://launch/", headers: { token: "t" }, body }]);
      expect(smart.getConfig()).toMatchObject({ id: "7", application: "cone", secret: "new" });
    });

    test("decorates what it answers", async () => {
      const target = await url();
      new Launcher([200, { id: "7", sessionURL: "ws://inside/ws" }]);
      const configDecorator = (config: ISmartConnectConfig): ISmartConnectConfig => (config.sessionURL ? { ...config, sessionURL: target } : config);
      const { fired } = await start(make, { config: {}, configDecorator });
      await welcome();
      await fired("ready");
    });

    test("tells its error, with the request", async () => {
      new Launcher([503, { error: "no room" }]);
      const { SmartConnect } = await make();
      const smart = SmartConnect.newInstance({ config: { application: "cone" } });
      const error = new Promise<unknown[]>((resolve) => smart.onConnectionError((...args) => resolve(args)));
      smart.connect();
      expect(await error).toMatchObject([{ status: 503, response: { error: "no room" } }, "no room"]);
    });

    test("asks again after 503", async () => {
      const launcher = new Launcher([503, { error: "no room" }], [503, { error: "no room" }], [200, { sessionURL: await url() }]);
      const { fired } = await start(make, { config: { application: "cone", launcherRetry: [1, 2], headers: { token: "t" } } });
      await welcome();
      await fired("ready");
      expect(launcher.requests.map(({ headers }) => headers)).toEqual([{ token: "t" }, { token: "t" }, { token: "t" }]);
    });

    test.each([[[404, null]], ["unreachable"], [[200, null]]] as const)("connects to the page's own server where there is none: %o", async (answer) => {
      const launcher = new Launcher(answer);
      const { smart, fired } = await start(make, { config: { application: "cone" } });
      await fired("error");
      expect(launcher.requests[0]).toMatchObject({ method: "POST", url: "http://page:8080/app/paraview/", body: { application: "cone" } });
      expect(smart.getConfig().sessionURL).toBe("ws://page:8080/app/ws");
    });
  });
});
