// The vectors of protocol version 2, against the released client that speaks it. Arrays are negotiated, and so not for it.
import { describe, expect, test } from "vitest";
import { nextConnection, url } from "../support/linked.js";
import { CLIENT_ID, type Connection, WELCOME } from "../support/peer.js";
import { type ReleasedSession, connectReleased } from "../support/released.js";
import { readVectors, toValue, unhex } from "../support/vectors.js";

interface Message {
  readonly id: string;
  readonly result?: unknown;
  readonly error?: unknown;
}

interface Case {
  readonly name: string;
  readonly message: Message;
  readonly packed: string;
  readonly frames?: string[];
}

const { cases } = readVectors<{ cases: Case[] }>("second_generation");
const plain = (each: Case): boolean => !/\$array|\$int|subscriptions/.test(JSON.stringify(each.message));
const answers = cases.filter((each) => plain(each) && typeof each.message.id === "string" && ("result" in each.message || "error" in each.message));

async function released(): Promise<{ session: ReleasedSession; peer: Connection; close: () => void }> {
  const connecting = connectReleased("wslink2", await url());
  const peer = await nextConnection();
  expect(await peer.welcome(WELCOME)).toMatchObject({ id: "system:c0:0", method: "wslink.hello", args: [{ secret: "s3cret" }] });
  return { ...(await connecting), peer };
}

function header(length: number): Uint8Array {
  const bytes = new Uint8Array(12);
  new DataView(bytes.buffer).setUint32(8, length, true);
  return bytes;
}

describe("npm 2.5.0 receives", () => {
  test.each(answers)("$name", async ({ message, packed, frames = [] }) => {
    const { session, peer, close } = await released();
    const [, topic] = /^publish:([^:]*):/.exec(message.id) ?? [];
    let payload: Promise<unknown> = Promise.resolve();
    if (topic) payload = new Promise((resolve) => session.subscribe(topic, ([value]) => resolve(value)));
    const count = topic ? 0 : Number(message.id.split(":")[2]) + 1;
    for (let n = 0; n < count; n++) payload = session.call("any").catch((reason: unknown) => reason);
    const whole = Buffer.concat([header(packed.length / 2), unhex(packed)]);
    for (const frame of frames.length > 0 ? frames.map(unhex) : [whole]) peer.send(frame);
    expect(await payload).toEqual(toValue(message.error ?? message.result));
    close();
  });
});

test("npm 2.5.0 sends what the vectors have", async () => {
  const { session, peer, close } = await released();
  const [call] = cases.filter(({ name }) => name === "call") as [Case & { message: { method: string; args: unknown[]; kwargs: object } }];
  void session.call(call.message.method, call.message.args, call.message.kwargs);
  await peer.next();
  const sent = peer.frames.at(-1)?.data ?? new Uint8Array();
  expect(call.message.id).toBe(`rpc:${CLIENT_ID}:0`);
  expect(Buffer.from(sent.subarray(12)).toString("hex")).toBe(call.packed);
  close();
});
