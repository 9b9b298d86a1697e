import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { AuthenticationError, ConnectionError, ProtocolError, TimeoutError, UsageError, VERSION, connect } from "../../src/index.js";
import { CLIENT_ID, WELCOME, WELCOME_WITH_FEATURES } from "../support/peer.js";
import { linked, nextConnection, settled, url } from "../support/linked.js";
import { readVectors } from "../support/vectors.js";

interface HelloCase {
  readonly name: string;
  readonly request: { readonly args: [{ readonly secret?: string; readonly client: object; features: string[]; resume?: object }] };
  readonly answer: { readonly error?: object };
  readonly ours?: boolean;
}

const hellos = readVectors<{ cases: HelloCase[] }>("hello").cases.filter(({ ours }) => ours);

describe("hello", () => {
  test.each(hellos)("vector: $name", async ({ request, answer }) => {
    const [{ secret }] = request.args;
    const linking = connect(await url(), { secret });
    const peer = await nextConnection();
    const hello = await peer.next();
    const expected = JSON.parse(JSON.stringify(request).replace("0.0.0", VERSION)) as HelloCase["request"];
    const [argument] = expected.args;
    argument.resume ??= {};
    argument.features = [...new Set([...argument.features, "resume"])];
    expect(hello).toEqual(expected);
    if (answer.error) {
      peer.fail(hello, answer.error);
      await expect(linking).rejects.toBeInstanceOf(AuthenticationError);
    } else {
      peer.answer(hello, WELCOME_WITH_FEATURES);
      expect((await linking).features).toEqual(["subscribe", "arrays"]);
    }
  });

  test("tells who the server is", async () => {
    const { link } = await linked();
    expect(link).toMatchObject({ clientId: CLIENT_ID, state: "open", server: { name: "scripted", version: "1.0" } });
  });

  test("is content with a released server's answer", async () => {
    const { link } = await linked(WELCOME);
    expect(link).toMatchObject({ clientId: CLIENT_ID, features: [], server: undefined });
  });

  test("the version is the package's", () => {
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string };
    expect(VERSION).toBe(version);
  });

  test.each([null, 7, {}, { clientID: 7 }, { clientID: "a:b" }, { clientID: "c0", maxMsgSize: 12 }, { clientID: "c0", features: "all" }, { clientID: "c0", features: [1] }])(
    "refuses the answer %o",
    async (answer) => {
      const linking = connect(await url());
      await (await nextConnection()).welcome(answer);
      await expect(linking).rejects.toBeInstanceOf(ProtocolError);
    },
  );

  test("closes the connection after a refusal", async () => {
    const linking = connect(await url(), { secret: "wrong" });
    const peer = await nextConnection();
    peer.fail(await peer.next(), { code: -32000, message: "Authentication failed" });
    await expect(linking).rejects.toMatchObject({ name: "AuthenticationError", code: -32000, method: "wslink.hello" });
    await new Promise((resolve) => peer.socket.once("close", resolve));
  });

  test.each([
    ["wrong", "Authentication failed: the secret is wrong"],
    [undefined, "Authentication failed: no secret was given"],
  ])("says in words why the secret %j is refused", async (secret, message) => {
    const linking = connect(await url(), { secret });
    const peer = await nextConnection();
    peer.fail(await peer.next(), { code: -32000, message: "Authentication failed" });
    await expect(linking).rejects.toMatchObject({ name: "AuthenticationError", message, reason: "Authentication failed" });
  });

  test("a close instead of an answer tells code and reason", async () => {
    const linking = connect(await url());
    const peer = await nextConnection();
    await peer.next();
    peer.socket.close(1008, "no good hello");
    await expect(linking).rejects.toMatchObject({ name: "ConnectionError", code: 1008, reason: "no good hello" });
  });
});

describe("the secret in a page's address", () => {
  afterEach(() => vi.unstubAllGlobals());

  async function secretOf(page: string, target: string): Promise<string | undefined> {
    vi.stubGlobal("location", new URL(page));
    const linking = connect(new URL(target, page));
    const peer = await nextConnection();
    const hello = await peer.next();
    peer.answer(hello, WELCOME);
    await (await linking).close();
    return (hello.args as HelloCase["request"]["args"])[0].secret;
  }

  test("is for every address of the page's own host, such as the one beside a page that was built", async () => {
    const { host } = new URL(await url());
    expect(await secretOf(`http://${host}/lab/?secret=s3cret`, "ws")).toBe("s3cret");
    expect(await secretOf(`http://${host}/lab/?secret=s3cret`, "/ws")).toBe("s3cret");
    expect(await secretOf(`http://${host}/lab/`, "ws")).toBeUndefined();
  });

  test("is for no other host", async () => {
    const server = await url();
    expect(await secretOf("http://page.example/?secret=s3cret", server)).toBeUndefined();
    const { hostname } = new URL(server);
    expect(await secretOf(`http://${hostname}:81/?secret=s3cret`, server)).toBeUndefined();
  });
});

describe("connecting", () => {
  test.each([
    "localhost:8080/ws",
    "ftp://localhost/ws",
    "127.0.0.1:8080",
    "localhost/ws",
    "http://",
    "",
    null as never,
    5 as never,
    [] as never,
    new Map() as never,
  ])("refuses the target %j", async (target) => {
    await expect(connect(target)).rejects.toBeInstanceOf(UsageError);
  });

  test("may have options alone: it then needs a page", async () => {
    await expect(connect({ secret: "s3cret" })).rejects.toThrow(new UsageError("connect() needs a URL outside a page"));
    await expect(connect({ secret: 5 as never })).rejects.toThrow(UsageError);
    await expect(connect("ws://127.0.0.1:1/ws", { secret: 5 as never })).rejects.toThrow(new UsageError("secret must be text"));
  });

  test("fails with a ConnectionError where the platform refuses the URL, as for ws: in a page that came over https", async () => {
    function Refusing(): never {
      throw new DOMException("An insecure WebSocket connection may not be initiated", "SecurityError");
    }
    const error: unknown = await connect("ws://127.0.0.1:1/ws", { WebSocket: Refusing as never }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error).toMatchObject({ message: expect.stringContaining("insecure") as string, code: 1006 });
  });

  test("fails where nobody listens", async () => {
    await expect(connect("ws://127.0.0.1:1/ws")).rejects.toMatchObject({ name: "ConnectionError", code: 1006 });
  });

  test("fails where no WebSocket is served, and keeps the query out of the message", async () => {
    const http = createServer((_, response) => response.writeHead(403).end()).listen(0, "127.0.0.1");
    await new Promise((resolve) => http.once("listening", resolve));
    const { port } = http.address() as AddressInfo;
    const error: unknown = await connect(`http://127.0.0.1:${port}/ws?token=hidden`).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConnectionError);
    expect(String(error)).toContain(`ws://127.0.0.1:${port}/ws`);
    expect(String(error)).not.toContain("hidden");
    http.close();
  });

  test("fails without a URL outside a page", async () => {
    await expect(connect()).rejects.toBeInstanceOf(UsageError);
  });

  test("fails for what is not a URL", async () => {
    await expect(connect("::")).rejects.toBeInstanceOf(UsageError);
  });

  test("gives up when there is no answer to hello in time, and tells the server that it does not come back", async () => {
    const linking = connect(await url(), { timeout: 50 });
    const peer = await nextConnection();
    const closed = new Promise((resolve) => peer.socket.once("close", resolve));
    await expect(linking).rejects.toMatchObject({ name: "TimeoutError", timeout: 50 });
    await expect(linking).rejects.toBeInstanceOf(TimeoutError);
    expect(await closed).toBe(1000);
  });

  test("gives up when its signal aborts, with the signal's reason", async () => {
    const abort = new AbortController();
    const linking = connect(await url(), { signal: abort.signal });
    await nextConnection();
    abort.abort("changed my mind");
    await expect(linking).rejects.toBe("changed my mind");
    await expect(connect(await url(), { signal: abort.signal })).rejects.toBe("changed my mind");
  });

  test("an abort after it has connected changes nothing", async () => {
    const abort = new AbortController();
    const { link } = await linked(undefined, { signal: abort.signal });
    abort.abort();
    expect(link.state).toBe("open");
  });
});

describe("a platform's WebSocket", () => {
  test("may hand on several messages in one turn: a result reaches who awaits it before the publications behind it (ORD-2)", async () => {
    const { link, peer } = await linked(WELCOME_WITH_FEATURES, { WebSocket: WebSocket as never });
    const order: unknown[] = [];
    const subscription = link.subscribe("news", (payload) => order.push(payload));
    peer.answer(await peer.next(), { delivery: "reliable" });
    await subscription.ready;
    const calling = (async () => order.push(await link.call("paint")))();
    const call = await peer.next();
    peer.together(() => {
      peer.answer(call, "result");
      for (let n = 0; n < 5; n++) peer.publish("news", n, { subscriptions: [1] });
    });
    await calling;
    await settled(link, peer);
    expect(order).toEqual(["result", 0, 1, 2, 3, 4]);
  });

  test("may close in that turn: what came before is heard", async () => {
    const linking = connect(await url(), { WebSocket: WebSocket as never });
    const peer = await nextConnection();
    const hello = await peer.next();
    peer.together(() => {
      peer.fail(hello, { code: -32000, message: "Authentication failed" });
      peer.socket.close(1008);
    });
    await expect(linking).rejects.toBeInstanceOf(AuthenticationError);
  });

  test.each([
    ["an error alone, as in Node 22", ["error"], { message: "refused" }, "cannot connect to ws://127.0.0.1:1/ws (refused)"],
    ["a close without a code, as in Deno", ["close"], {}, "cannot connect to ws://127.0.0.1:1/ws"],
    ["an error before the close", ["error", "close"], { code: 1006 }, "cannot connect to ws://127.0.0.1:1/ws"],
  ])("may say by %s that it cannot connect", async (_, events, detail, message) => {
    class Failing extends EventTarget {
      constructor() {
        super();
        queueMicrotask(() => events.forEach((type) => this.dispatchEvent(Object.assign(new Event(type), detail))));
      }
    }
    await expect(connect("ws://127.0.0.1:1/ws", { WebSocket: Failing as never, timeout: 200 })).rejects.toMatchObject({ name: "ConnectionError", message, code: 1006 });
  });

  test("may come with signals that know no throwIfAborted, as in jsdom 20, which Jest 29 uses", async () => {
    vi.spyOn(AbortSignal.prototype, "throwIfAborted").mockImplementation(() => {
      throw new TypeError("signal.throwIfAborted is not a function");
    });
    const { link, peer } = await linked();
    await settled(link, peer);
    await expect(link.call("a.b", [], {}, { signal: AbortSignal.abort("mine") })).rejects.toBe("mine");
  });
});
