// wslink/src/WebsocketConnection/session: a session over a socket that the application opens and listens to.
import { WebSocket } from "ws";
import { expect, test } from "vitest";
import Session from "../../src/compat/WebsocketSession.js";
import type { SocketLike } from "../../src/compat/socket.js";
import { failure } from "../support/compat.js";
import { nextConnection, reported, url } from "../support/linked.js";
import { CLIENT_ID, type Connection, WELCOME } from "../support/peer.js";

async function opened(): Promise<{ session: ReturnType<typeof Session.newInstance>; ws: SocketLike; peer: Connection }> {
  const ws = new WebSocket(await url()) as unknown as SocketLike;
  ws.binaryType = "arraybuffer";
  const session = Session.newInstance({ ws, secret: "s3cret" });
  ws.onmessage = (event) => session.onmessage(event);
  const ready = new Promise<string>((resolve, reject) => (ws.onopen = (event) => void session.onconnect(event).then(resolve, reject)));
  const peer = await nextConnection();
  expect(await peer.welcome(WELCOME)).toMatchObject({ args: [{ secret: "s3cret" }] });
  expect(await ready).toBe(CLIENT_ID);
  return { session, ws, peer };
}

test("says hello, calls, subscribes and closes", async () => {
  const { session, peer } = await opened();
  expect(session.isA("Session")).toBe(true);
  const payloads: unknown[] = [];
  await session.subscribe("news", ([payload]) => payloads.push(payload)).promise;
  const result = session.call("a.b", [1]);
  peer.publish("news", "first");
  peer.answer(await peer.next(), "good");
  expect([await result, payloads]).toEqual(["good", ["first"]]);
  const waiting = session.call("a.b");
  await session.close();
  expect(await failure(waiting)).toMatchObject({ code: -32099 });
});

test("without a socket, calls reject", async () => {
  const session = Session.newInstance({});
  expect(await failure(session.call("a.b"))).toMatchObject({ code: -32099 });
  expect(await failure(session.onconnect())).toMatchObject({ code: -32099 });
});

test("a Blob that cannot be read is reported, and what comes behind it is read", async () => {
  const { session, peer } = await opened();
  const broken = new Blob(["gone"]);
  broken.arrayBuffer = () => Promise.reject(new Error("gone"));
  const result = session.call("a.b");
  const call = await peer.next();
  session.onmessage({ data: broken });
  peer.answer(call, "good");
  expect(await result).toBe("good");
  expect(reported).toEqual([new Error("gone")]);
});
