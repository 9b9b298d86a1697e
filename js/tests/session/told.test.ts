// Functions of the application that are told how far something has come, and what they may do then.
import { describe, expect, test } from "vitest";
import { type Link, connect } from "../../src/index.js";
import type { Transport } from "../../src/transports/transport.js";
import { turns } from "../support/inside.js";
import { linked, nextConnection, reported, settled } from "../support/linked.js";
import { WELCOME_WITH_FEATURES, message } from "../support/peer.js";
import { MIB, bytes, encoder, opened, slow, wanted } from "../support/queue.js";

const WELCOME = { ...WELCOME_WITH_FEATURES, features: ["subscribe", "arrays", "progress", "stream"] };

describe("who is told of a chunk may withdraw its message, and no other", () => {
  test.each([false, true])("a large one, with flow: %s", async (flow) => {
    const { queue, sink } = opened({ flow });
    queue.sendsEnds = true;
    let told = 0;
    const withdraw = (): void => {
      told += 1;
      queue.withdraw("one", () => undefined);
    };
    void queue.post("one", bytes(2 * MIB), wanted, withdraw);
    void queue.post("two", bytes(MIB), wanted);
    void queue.post("three", bytes(20_000), wanted);
    await turns(60);
    const [first] = sink.chunks;
    expect(told).toBe(1);
    expect(sink.chunks.filter(({ id }) => id === first?.id).map(({ body }) => body.length > 0)).toEqual([true, false]);
    expect(new Set(sink.chunks.map(({ id }) => id)).size).toBe(3);
    expect(queue.waiting).toEqual(new Set());
  });

  test("a small one that had to wait", async () => {
    const { queue, sink } = opened();
    queue.sendsEnds = true;
    const { blob, read } = slow(10);
    let sent = 0;
    void queue.post("blob", encoder.encode(blob), wanted);
    void queue.post("one", bytes(5), wanted, () => queue.withdraw("one", () => (sent += 1)));
    void queue.post("two", bytes(6), wanted);
    await turns();
    read();
    await turns();
    expect(sink.messages.slice(1)).toEqual([new Uint8Array(5), new Uint8Array(6)]);
    expect([sink.chunks.length, sent]).toEqual([3, 1]);
  });
});

test("a call that is given up when it has come so far leaves those behind it", async () => {
  const { link, peer } = await linked({ ...WELCOME, features: [...WELCOME.features, "cancel"] });
  const abort = new AbortController();
  const large = link.call("a.large", [new Uint8Array(3 * MIB)], {}, { signal: abort.signal, onTransfer: () => abort.abort() });
  const behind = link.call("a.second", [new Uint8Array(2 * MIB)]);
  await expect(large).rejects.toThrow();
  const call = await peer.next();
  expect(call.method).toBe("a.second");
  peer.answer(call, "here");
  expect(await behind).toBe("here");
});

test("what onProgress and onTransfer reject with is reported", async () => {
  const { link, peer } = await linked(WELCOME);
  const fail = async (): Promise<void> => Promise.reject(new Error("mine"));
  const call = link.call("a.method", [], {}, { onProgress: fail, onTransfer: fail });
  const asked = await peer.next();
  peer.extension(7, asked.id, 1);
  peer.answer(asked, "all the same");
  expect(await call).toBe("all the same");
  await settled(link, peer);
  expect(reported).toMatchObject([{ message: "mine" }, { message: "mine" }, { message: "mine" }]);
});

test.each(["onProgress", "onTransfer"])("%s may close the link", async (name) => {
  const { link, peer } = await linked(WELCOME);
  const call = link.call("a.method", [], {}, { [name]: () => void link.close() });
  const failed = expect(call).rejects.toThrow("closed by this client");
  if (name === "onProgress") peer.extension(7, (await peer.next()).id, 1);
  await failed;
  expect(await link.closed).toMatchObject({ code: 1000 });
  expect(reported).toEqual([]);
});

test("a link that is closed as soon as it is open again has not reconnected", async () => {
  const { link, peer } = await linked(WELCOME);
  const told: string[] = [];
  link.addEventListener("reconnected", () => told.push("reconnected"));
  link.addEventListener("statechange", () => {
    told.push(link.state);
    if (link.state === "open") void link.close();
  });
  peer.socket.terminate();
  await (await nextConnection()).welcome(WELCOME);
  await link.closed;
  expect(told).toEqual(["reconnecting", "open", "closing", "closed"]);
});

test("a source whose end fails at once disturbs nobody", async () => {
  const { link, peer } = await linked(WELCOME);
  const source: AsyncIterable<number> = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise(() => undefined),
      return: () => {
        throw new Error("not now");
      },
    }),
  };
  const call = link.call("a.method", [source]);
  peer.answer(await peer.next(), "enough");
  expect(await call).toBe("enough");
  await settled(link, peer);
});

test("a transport that fails to send ends its link", async () => {
  let frame: (data: Uint8Array) => void = () => undefined;
  let broken = false;
  const transport: Transport = {
    name: "a channel",
    listen: (events) => (frame = (data) => events.frame(data)),
    send: () => {
      if (broken) throw new Error("it has gone");
    },
    close: () => undefined,
  };
  const linking = connect(transport, { secret: "s3cret" });
  await turns();
  frame(message({ id: "system:c0:0", result: WELCOME }));
  const link: Link = await linking;
  broken = true;
  await expect(link.call("a.method")).rejects.toThrow("it has gone");
  expect(await link.closed).toMatchObject({ code: 1006 });
});
