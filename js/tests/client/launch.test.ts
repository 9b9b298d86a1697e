// launch() against a scripted launcher: what it makes of every answer. tests/interop/launch.test.ts has a real one.
import { once } from "node:events";
import { type IncomingMessage, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { LaunchError, type LaunchProgress, TimeoutError, connect, launch } from "../../src/index.js";
import { linked, nextConnection, reported, url as socket } from "../support/linked.js";
import { WELCOME } from "../support/peer.js";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let stop: (() => unknown) | undefined;
afterEach(() => stop?.());

/** The URL of a launcher that answers so. */
async function launcher(handler: Handler): Promise<string> {
  const server = createServer(handler);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stop = () => (server.closeAllConnections(), server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/viewers/`;
}

const json =
  (status: number, answer: unknown): Handler =>
  (_, response) =>
    response.writeHead(status, { "Content-Type": "application/json" }).end(typeof answer === "string" ? answer : JSON.stringify(answer));

const events =
  (...pieces: string[]): Handler =>
  (_, response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream; charset=utf-8" });
    for (const piece of pieces) response.write(piece);
    response.end();
  };

const event = (name: string, data: object): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
const SESSION = { id: "1", sessionURL: "ws://a/ws", secret: "s" };
const REQUEST = { application: "terrain" };

async function failure(promise: Promise<unknown>): Promise<LaunchError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(LaunchError);
  return error as LaunchError;
}

describe("a launcher that tells events", () => {
  test("is followed to the end", async () => {
    const url = await launcher(events(event("starting", {}), event("waiting", { for: "a node" }), ":\n\n", event("waiting", { for: "" }), event("ready", SESSION)));
    const seen: LaunchProgress[] = [];
    expect(await launch(url, REQUEST, { onProgress: (progress) => seen.push(progress) })).toEqual(SESSION);
    expect(seen).toEqual([{ state: "starting" }, { state: "waiting", for: "a node" }, { state: "waiting", for: "" }, { state: "ready", session: SESSION }]);
  });

  test("says why there is no session", async () => {
    const url = await launcher(events(event("starting", {}), event("failed", { status: 503, error: "It ended.", exitCode: 3, log: "the reason" })));
    const seen: LaunchProgress[] = [];
    const error = await failure(launch(url, REQUEST, { onProgress: (progress) => seen.push(progress) }));
    expect(error).toMatchObject({ message: "It ended.", status: 503, exitCode: 3, log: "the reason" });
    expect(seen).toEqual([{ state: "starting" }, { state: "failed", error }]);
  });

  test.each([
    ["ends early", [event("starting", {})], "the launcher ended the connection"],
    ["sends no JSON", ["event: ready\ndata: {\n\n"], "an event of the launcher is no JSON"],
    ["sends no event", ["<html></html>\n\n"], "the launcher ended the connection"],
  ])("fails where it %s", async (_, pieces, message) => {
    const error = await failure(launch(await launcher(events(...pieces)), REQUEST));
    expect(error).toMatchObject({ message, status: 0 });
  });

  test("fails where it is killed", async () => {
    const url = await launcher((_, response) => {
      response.writeHead(200, { "Content-Type": "text/event-stream" }).write(event("starting", {}));
    });
    const launching = launch(url, REQUEST, { onProgress: () => stop?.() });
    expect(await failure(launching)).toMatchObject({ message: "the launcher ended the connection", status: 0 });
  });

  test("is not stopped by a callback that throws", async () => {
    await linked(); // for what is reported
    const thrown = new Error("the page's fault");
    const url = await launcher(events(event("starting", {}), event("ready", SESSION)));
    const onProgress = (): never => {
      throw thrown;
    };
    expect(await launch(url, REQUEST, { onProgress })).toEqual(SESSION);
    expect(reported).toEqual([thrown, thrown]);
  });

  test.each(["abort", "timeout"])("notices that nobody waits any more (%s)", async (how) => {
    const giving = new AbortController();
    let gone: Promise<unknown> | undefined;
    const url = await launcher((_, response) => {
      gone = once(response, "close");
      response.writeHead(200, { "Content-Type": "text/event-stream" }).write(event("starting", {}));
    });
    const reason = new Error("the user left");
    const options = how === "abort" ? { signal: giving.signal } : { timeout: 100 };
    const launching = launch(url, REQUEST, { ...options, onProgress: ({ state }) => state === "starting" && giving.abort(reason) });
    if (how === "abort") await expect(launching).rejects.toBe(reason);
    else await expect(launching).rejects.toBeInstanceOf(TimeoutError);
    await gone;
  });
});

describe("a launcher that answers with JSON, as released ones do", () => {
  test("is asked as released clients ask", async () => {
    let asked: { method: string | undefined; type: string | undefined; authorization: string | undefined; body: string } | undefined;
    const url = await launcher((request, response) => {
      void text(request).then((body) => {
        asked = { method: request.method, type: request.headers["content-type"], authorization: request.headers.authorization, body };
        json(200, SESSION)(request, response);
      });
    });
    const seen: string[] = [];
    const options = { headers: { Authorization: "Bearer t" }, onProgress: ({ state }: LaunchProgress) => void seen.push(state) };
    expect(await launch(new URL(url), { ...REQUEST, size: 3 }, options)).toEqual(SESSION);
    // text/plain: a page of another origin, if it may ask at all, needs no preflight.
    expect(asked).toEqual({ method: "POST", type: "text/plain;charset=UTF-8", authorization: "Bearer t", body: '{"application":"terrain","size":3}' });
    expect(seen).toEqual(["ready"]);
  });

  test.each([
    [400, { error: "There is no such application." }, "There is no such application."],
    [200, { error: "broken" }, "broken"],
    [503, { error: "It ended.", exitCode: 3, log: "why" }, "It ended."],
    [502, "<html>Bad Gateway</html>", "the launcher responded with 502"],
    [200, "<html>a page</html>", "the launcher's response has no sessionURL"],
    [200, { id: "1" }, "the launcher's response has no sessionURL"],
    [200, "null", "the launcher responded with 200"],
  ])("fails with %i %j", async (status, answer, message) => {
    const error = await failure(launch(await launcher(json(status, answer)), REQUEST));
    expect(error).toMatchObject({ message, status });
    if (status === 503) expect(error).toMatchObject({ exitCode: 3, log: "why" });
  });
});

test("a launcher that is not there", async () => {
  const url = await launcher(() => undefined);
  await stop?.();
  const error = await failure(launch(url, REQUEST));
  expect(error).toMatchObject({ message: "the launcher cannot be reached", status: 0 });
  expect(error.cause).toBeDefined();
});

test("an aborted signal starts nothing", async () => {
  let asked = 0;
  const url = await launcher(() => asked++);
  const reason = new Error("no");
  await expect(launch(url, REQUEST, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  expect(asked).toBe(0);
});

test("the launcher's host stands for the page's outside pages", async () => {
  const url = await launcher(json(200, { id: "1", sessionURL: "ws://USE_HOST/s?on=USE_HOSTNAME" }));
  const { host, hostname } = new URL(url);
  expect((await launch(url, REQUEST)).sessionURL).toBe(`ws://${host}/s?on=${hostname}`);
});

test.each([{ host: "", hostname: "" }, {}])("as it does in pages without a host, such as those of files: %j", async (location) => {
  vi.stubGlobal("location", location);
  const url = await launcher(json(200, { id: "1", sessionURL: "ws://USE_HOST/s?on=USE_HOSTNAME" }));
  const { host, hostname } = new URL(url);
  expect((await launch(url, REQUEST)).sessionURL).toBe(`ws://${host}/s?on=${hostname}`);
  vi.unstubAllGlobals();
});

test("what onProgress throws, or rejects with, is reported", async () => {
  const url = await launcher(events(event("starting", {}), event("ready", SESSION)));
  const onProgress = (progress: LaunchProgress): unknown => {
    if (progress.state === "starting") throw new Error("thrown");
    return Promise.reject(new Error("rejected"));
  };
  expect(await launch(url, REQUEST, { onProgress })).toEqual(SESSION);
  await vi.waitFor(() => expect(reported).toMatchObject([{ message: "thrown" }, { message: "rejected" }]));
});

test("connect takes a session", async () => {
  const url = await launcher(json(200, { id: "1", sessionURL: await socket(), secret: "of the session" }));
  const linking = connect(await launch(url, REQUEST), { callTimeout: 1000 });
  const peer = await nextConnection();
  expect(await peer.welcome(WELCOME)).toMatchObject({ args: [{ secret: "of the session" }] });
  expect((await linking).state).toBe("open");
});
