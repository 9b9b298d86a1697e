// The vectors of protocol version 1, against the released client that speaks it. Ours does not.
import { type WebSocket, WebSocketServer } from "ws";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CLIENT_ID } from "../support/peer.js";
import { type ReleasedSession, connectReleased } from "../support/released.js";
import { hex, readVectors, toValue, unhex } from "../support/vectors.js";

type Frame = { readonly text: string } | { readonly binary: string };

interface Message {
  readonly id: string;
  readonly result?: unknown;
  readonly error?: unknown;
  readonly method: string;
  readonly args: unknown[];
  readonly kwargs: object;
}

interface Case {
  readonly name: string;
  readonly sender: "server" | "client";
  readonly frames: Frame[];
  readonly message: Message;
  readonly released?: Readonly<Record<string, string>>;
}

const { cases } = readVectors<{ cases: Case[] }>("first_generation");
const differs = ({ released = {} }: Case): boolean => "npm 1.12.4" in released;

let server: WebSocketServer;
let peer: WebSocket;
let session: ReleasedSession;
let close: () => void;
let frames: Frame[];

beforeEach(async () => {
  server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  server.on("connection", (socket) => {
    peer = socket;
    frames = [];
    socket.on("message", (data: Buffer, binary) => {
      if (frames.length === 0) socket.send(JSON.stringify({ wslink: "1.0", id: "system:c0:0", result: { clientID: CLIENT_ID } }));
      frames.push(binary ? { binary: data.toString("hex") } : { text: data.toString() });
    });
  });
  ({ session, close } = await connectReleased("wslink1", `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws`));
});

afterEach(() => {
  close();
  server.close();
});

function send(all: readonly Frame[]): void {
  for (const each of all) peer.send("text" in each ? each.text : unhex(each.binary));
}

/** Blobs, which is what this client makes of bytes, as bytes. */
async function settle(value: unknown): Promise<unknown> {
  if (value instanceof Blob) return new Uint8Array(await value.arrayBuffer());
  if (Array.isArray(value)) return Promise.all(value.map(settle));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(async ([key, item]) => [key, await settle(item)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

/** What the client gets from a message of the server. */
async function received({ id }: Message, all: readonly Frame[]): Promise<unknown> {
  const [, topic] = /^publish:([^:]*):/.exec(id) ?? [];
  const payload = topic
    ? new Promise((resolve) => session.subscribe(topic, ([value]) => resolve(value)))
    : session.call("any").catch((reason: unknown) => reason);
  send(all);
  return settle(await payload);
}

test.each(cases.filter((each) => each.sender === "server"))("npm 1.12.4 receives: $name", async (each) => {
  const expected = toValue(each.message.error ?? each.message.result);
  const actual = await received(each.message, each.frames);
  if (differs(each)) expect(actual).not.toEqual(expected);
  else expect(actual).toEqual(expected);
});

/** Bytes as attachments, as an application of this client has them. */
function attach(value: unknown): unknown {
  if (value instanceof Uint8Array) return session.addAttachment(unhex(hex(value)));
  if (Array.isArray(value)) return value.map(attach);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, attach(item)]));
}

test.each(cases.filter((each) => each.sender === "client"))("npm 1.12.4 sends: $name", async (each) => {
  const { method, args, kwargs, id } = toValue(each.message) as Message;
  const result = session.call(method, attach(args) as unknown[], attach(kwargs) as object);
  while (!frames.some((frame) => "text" in frame && frame.text.includes(id))) await new Promise((resolve) => setTimeout(resolve, 1));
  if (differs(each)) expect(frames.slice(1)).not.toEqual(each.frames);
  else expect(frames.slice(1)).toEqual(each.frames);
  peer.send(JSON.stringify({ wslink: "1.0", id, result: null }));
  await result;
});
