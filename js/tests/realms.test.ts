// Where the platform's classes are not those of the realm that the client runs in, as under Jest, in vm contexts, and between frames: dist/wslink.js in a
// context that has its own Uint8Array, ArrayBuffer, Error and Promise, and Node's TextEncoder, Blob, URL and AbortController.
import { readFileSync } from "node:fs";
import { createContext, runInContext } from "node:vm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import type * as wslink from "../src/index.js";
import { NDArray } from "../src/index.js";
import { type Connection, ScriptedServer } from "./support/peer.js";

const PLATFORM = { AbortController, Blob, CustomEvent, Event, EventTarget, MessageChannel, TextDecoder, TextEncoder, URL, WebSocket };
const FUNCTIONS = { clearTimeout, console, performance, queueMicrotask, setTimeout };

let context: Record<string, unknown> & { readonly wslink: typeof wslink };
let server: ScriptedServer;
let link: wslink.Link;
let peer: Connection;

beforeEach(async () => {
  context = createContext({ ...PLATFORM, ...FUNCTIONS }) as typeof context;
  runInContext(readFileSync(new URL("../dist/wslink.js", import.meta.url), "utf8"), context);
  server = new ScriptedServer();
  const linking = context.wslink.connect(new URL(await server.url()), { secret: "s" });
  peer = await server.connection();
  await peer.welcome();
  link = await linking;
});

afterEach(async () => {
  await link.close();
  await server.stop();
});

/** What the server gets of an argument. */
async function arrived(argument: unknown): Promise<unknown> {
  const result = link.call("a.b", [argument]);
  const call = await peer.next();
  peer.answer(call, "done");
  expect(await result).toBe("done");
  return call.args[0];
}

test("a URL of another realm is a target", () => {
  expect(link.state).toBe("open");
});

test.each([2 ** 10, 2 ** 20, 3 * 2 ** 20])("%i characters of text arrive", async (length) => {
  const text = "é".repeat(length / 2);
  expect((await arrived(text)) === text).toBe(true);
});

test.each([2 ** 10, 3 * 2 ** 20])("%i bytes arrive, in whatever they are", async (length) => {
  const bytes = new Uint8Array(length).fill(7);
  for (const value of [bytes, bytes.buffer, new DataView(bytes.buffer), new Blob([bytes])]) expect(await arrived(value)).toHaveLength(length);
});

test("arrays, Dates, Maps and Sets arrive", async () => {
  const [array, date, map, set] = (await arrived([new NDArray(new Float32Array(6), [2, 3]), new Date(0), new Map([[1, 2]]), new Set(["a"])])) as unknown[];
  expect(array).toHaveProperty("type", 1);
  expect(date).toEqual(new Date(0));
  expect([map, set]).toEqual([{ 1: 2 }, ["a"]]);
});

test("bytes and arrays of the server arrive", async () => {
  const result = link.call<Uint8Array>("a.b");
  peer.answer(await peer.next(), new Uint8Array([1, 2]));
  expect([...(await result)]).toEqual([1, 2]);
});

test("a signal of another realm gives a call up, and what is none is refused", async () => {
  const abort = new AbortController();
  const result = link.call("a.b", [], {}, { signal: abort.signal });
  abort.abort(new Error("enough"));
  await expect(result).rejects.toThrow("enough");
  await expect(link.call("a.b", [], {}, { signal: abort as never })).rejects.toThrow("signal must be an AbortSignal, not AbortController");
});

test("a promise as an argument is refused", async () => {
  await expect(link.call("a.b", [Promise.resolve()])).rejects.toThrow("args[0]: a promise cannot be sent");
});
