// @vitest-environment happy-dom
// The hooks of wslink/react, in StrictMode, and the composables of wslink/vue, in the real frameworks, against a scripted server.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { AuthenticationError, CallError, ConnectionError, UsageError } from "../../src/index.js";
import { type Connection, ScriptedServer, WELCOME_WITH_FEATURES } from "../support/peer.js";
import { type Mounted, type Props, type Rendered, mountReact, mountVue } from "./mounts.js";

const WELCOME = { ...WELCOME_WITH_FEATURES, features: ["subscribe", "arrays", "flow", "cancel", "progress"] };
const MOUNTS = { react: mountReact, vue: mountVue };

let server: ScriptedServer;
let mounted: Mounted | undefined;
let frames: (() => void)[];
let opened: number;

class Counted extends WebSocket {
  constructor(url: string) {
    super(url);
    opened++;
  }
}

/** The next animation frame. */
function frame(): void {
  for (const callback of frames.splice(0)) callback();
}

const pause = (ms = 20): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until<T>(look: () => T | undefined | false): Promise<T> {
  for (let tries = 0; tries < 300; tries++) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    await pause(5);
  }
  throw new Error(`it did not come: ${JSON.stringify(mounted?.rendered.at(-1))}`);
}

const last = (): Rendered => mounted?.rendered.at(-1) as Rendered;
const settled = ({ extensions }: Connection): unknown[][] => extensions.filter(([type]) => type === 2);

beforeEach(() => {
  opened = 0;
  vi.stubGlobal("WebSocket", Counted);
  frames = [];
  vi.stubGlobal("requestAnimationFrame", (callback: () => void) => frames.push(callback));
  server = new ScriptedServer();
});

afterEach(async () => {
  mounted?.unmount();
  mounted = undefined;
  await server.stop();
  vi.unstubAllGlobals();
});

describe.each(["react", "vue"] as const)("wslink/%s", (name) => {
  async function mount(props: Partial<Props> = {}): Promise<Connection> {
    mounted = MOUNTS[name]({ url: await server.url(), secret: "s3cret", topic: "a.topic", method: "a.method", ...props });
    return server.connection();
  }

  /** Mounted, connected and subscribed. */
  async function subscribed(props: Partial<Props> = {}): Promise<Connection> {
    const peer = await mount(props);
    await peer.welcome(WELCOME);
    peer.answer(await peer.next(), { delivery: "latest" });
    await until(() => last().state === "open");
    return peer;
  }

  test("connects once, and closes the connection at the end", async () => {
    const peer = await mount();
    expect(mounted?.rendered[0]).toMatchObject({ link: undefined, state: "connecting", error: undefined });
    await peer.welcome(WELCOME);
    await until(() => last().state === "open");
    const closed = new Promise((resolve) => peer.socket.once("close", resolve));
    await pause();
    mounted?.unmount();
    expect(await closed).toBe(1000);
    expect(opened).toBe(1);
  });

  test("is not connected at all where it is unmounted at once", async () => {
    const url = await server.url();
    MOUNTS[name]({ url, secret: "s3cret", topic: "a.topic", method: "a.method" }).unmount();
    await pause();
    expect(opened).toBe(0);
  });

  test("gives up an attempt, and connects elsewhere where the URL is another", async () => {
    const first = await mount();
    const closed = new Promise((resolve) => first.socket.once("close", resolve));
    const elsewhere = new ScriptedServer();
    mounted?.set({ url: await elsewhere.url() });
    await closed;
    const second = await elsewhere.connection();
    await second.welcome(WELCOME);
    await until(() => last().state === "open");
    await elsewhere.stop();
  });

  test("tells of a secret that is refused, and tries with another", async () => {
    const peer = await mount();
    peer.fail(await peer.next(), { code: -32000, message: "Authentication failed" });
    await until(() => last().error);
    expect(last()).toMatchObject({ link: undefined, state: "closed" });
    expect(last().error).toBeInstanceOf(AuthenticationError);
    mounted?.set({ secret: "another" });
    const again = await server.connection();
    const hello = await again.next();
    expect(hello.args).toMatchObject([{ secret: "another" }]);
    again.answer(hello, WELCOME);
    await until(() => last().state === "open" && last().error === undefined);
  });

  test("tells of a connection that is cut, and of a link that is closed for good", async () => {
    const peer = await subscribed();
    peer.socket.terminate();
    await until(() => mounted?.rendered.some(({ state }) => state === "reconnecting"));
    const again = await server.connection();
    await again.welcome(WELCOME);
    await until(() => last().state === "open");
    again.socket.close(4002, "enough");
    await until(() => last().state === "closed" && last().error);
    expect(last().error).toMatchObject({ code: 4002, reason: "enough" });
    expect(last().error).toBeInstanceOf(ConnectionError);
  });

  test("renders the newest publication once per frame, and acknowledges what it has rendered", async () => {
    const peer = await subscribed();
    await pause();
    const before = mounted?.rendered.length as number;
    for (let n = 0; n < 50; n++) peer.publish("a.topic", n, { subscriptions: [1] });
    await until(() => frames.length === 1);
    await pause(50);
    expect(frames).toHaveLength(1);
    expect(mounted?.rendered).toHaveLength(before);
    expect(settled(peer)).toEqual([]);
    frame();
    await until(() => last().topic.payload === 49);
    expect(last().topic.info).toEqual({ topic: "a.topic", number: 0 });
    // StrictMode renders twice.
    expect(mounted?.rendered.length).toBeLessThanOrEqual(before + 2);
    const count = (): number => settled(peer).reduce((sum, [, , n]) => sum + (n as number), 0);
    await until(() => count() === 50 || settled(peer).some(([, , n]) => n === 50));
    peer.publish("a.topic", "more", { subscriptions: [1] });
    await until(() => frames.length === 1);
    frame();
    await until(() => last().topic.payload === "more");
  });

  test("replaces the filter where its value is another, and only there", async () => {
    const peer = await subscribed({ filter: { row: 3 } });
    mounted?.set({ filter: { row: 3 } });
    await pause();
    mounted?.set({ filter: { row: { gte: 4 } } });
    const update = await peer.next();
    expect(update).toMatchObject({ method: "wslink.subscribe", args: [{ topic: "a.topic", filter: { row: { gte: 4 } } }] });
    peer.answer(update, { delivery: "latest" });
    peer.publish("a.topic", "row 5", { subscriptions: [(update.args[0] as { subscription: number }).subscription] });
    await until(() => frames.length === 1);
    frame();
    await until(() => last().topic.payload === "row 5");
  });

  test("tells of a filter that is refused, and subscribes with the next", async () => {
    const peer = await mount({ filter: { row: 1 } });
    await peer.welcome(WELCOME);
    peer.fail(await peer.next(), { code: -32602, message: "no such tag" });
    await until(() => last().topic.error);
    expect(last().topic.error).toBeInstanceOf(CallError);
    mounted?.set({ filter: { row: 2 } });
    const again = await peer.next();
    expect(again.args).toMatchObject([{ filter: { row: 2 } }]);
    peer.answer(again, { delivery: "latest" });
    await until(() => last().topic.error === undefined);
  });

  test("tells filters apart that JSON does not, or cannot write", async () => {
    const peer = await mount({ filter: { id: 2n ** 60n as unknown as number } });
    await peer.welcome(WELCOME);
    const ids = [2n ** 60n, 2n ** 60n + 1n, NaN, Infinity, "Infinity"];
    for (const [n, id] of ids.entries()) {
      if (n > 0) mounted?.set({ filter: { id: id as number } });
      const asked = await peer.next();
      expect(asked.args).toMatchObject([{ filter: { id } }]);
      peer.answer(asked, { delivery: "latest" });
    }
  });

  test("connects once to a session that each rendering writes anew, and to another one", async () => {
    const sessionURL = await server.url();
    await (await mount({ url: { id: "1", sessionURL } })).welcome(WELCOME);
    await until(() => last().state === "open");
    await pause();
    expect(opened).toBe(1);
    mounted?.set({ url: { id: "2", sessionURL: `${sessionURL}?2` } });
    await (await server.connection()).welcome(WELCOME);
    await until(() => opened === 2);
  });

  test("shows nothing of one topic as another's", async () => {
    const peer = await subscribed();
    peer.publish("a.topic", "old", { subscriptions: [1] });
    await until(() => frames.length === 1);
    frame();
    await until(() => last().topic.payload === "old");
    const before = mounted?.rendered.length as number;
    mounted?.set({ topic: "b.topic" });
    const methods = [(await peer.next()).method, (await peer.next()).method];
    expect(methods.sort()).toEqual(["wslink.subscribe", "wslink.unsubscribe"]);
    await until(() => (mounted?.rendered.length ?? 0) > before);
    expect(mounted?.rendered.slice(before).map(({ topic }) => topic.payload)).not.toContain("old");
  });

  test("shows how the newest call stands", async () => {
    const peer = await subscribed();
    expect(last().method).toEqual({ pending: false, result: undefined, error: undefined, progress: undefined });
    const first = mounted?.call([1], { two: 2 });
    const asked = await peer.next();
    expect(asked).toMatchObject({ method: "a.method", args: [1], kwargs: { two: 2 } });
    await until(() => last().method.pending);
    peer.extension(7, asked.id, 0.5);
    await until(() => last().method.progress === 0.5);
    const second = mounted?.call([3]);
    const later = await peer.next();
    peer.answer(later, "later");
    peer.answer(asked, "earlier");
    expect([await first, await second]).toEqual(["earlier", "later"]);
    await until(() => last().method.result === "later");
    expect(last().method).toEqual({ pending: false, result: "later", error: undefined, progress: undefined });
    const third = mounted?.call();
    peer.fail(await peer.next(), { code: 7, message: "no way" });
    expect(await third).toBe(undefined);
    await until(() => last().method.error);
    expect(last().method).toMatchObject({ pending: false, result: "later", error: { code: 7 } });
  });

  test("gives up what is under way at the end, and where its own signal aborts", async () => {
    const peer = await subscribed();
    const own = new AbortController();
    const calls = [mounted?.call(), mounted?.call([], {}, { signal: own.signal })];
    const asked = [await peer.next(), await peer.next()];
    own.abort(new Error("enough"));
    await until(() => peer.extensions.some(([type, id]) => type === 6 && id === asked[1]?.id));
    await until(() => (last().method.error as Error | undefined)?.message === "enough");
    mounted?.set({ method: "b.method" });
    await until(() => peer.extensions.some(([type, id]) => type === 6 && id === asked[0]?.id));
    expect([await calls[0], await calls[1]]).toEqual([undefined, undefined]);
    await until(() => last().method.error === undefined);
    calls.push(mounted?.call());
    await peer.next();
    mounted?.unmount();
    expect(await calls[2]).toBe(undefined);
  });

  test("says that a call came before the link", async () => {
    await mount();
    await pause();
    expect(await mounted?.call()).toBe(undefined);
    await until(() => last().method.error);
    expect(last().method.error).toBeInstanceOf(UsageError);
  });
});
