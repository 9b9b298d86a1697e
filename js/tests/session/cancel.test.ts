// Calls that their caller gives up (CAN), against a scripted server.
import { expect, test } from "vitest";
import { TimeoutError } from "../../src/index.js";
import { linked, reported, settled } from "../support/linked.js";
import { type Connection, WELCOME_WITH_FEATURES, frame } from "../support/peer.js";

const WELCOME = { ...WELCOME_WITH_FEATURES, features: ["subscribe", "arrays", "cancel"] };
const PACED = { ...WELCOME, features: [...WELCOME.features, "flow"] };

async function until<T>(look: () => T | undefined): Promise<T> {
  for (let tries = 0; tries < 300; tries++) {
    const found = look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("it did not come");
}

function cancelled({ extensions }: Connection): unknown[] {
  return extensions.filter(([type]) => type === 6).map(([, id]) => id);
}

/** Chunks without bytes whose offset is the message's total. */
function ends({ frames }: Connection): number {
  return frames.filter(({ data }) => {
    const header = new DataView(data.buffer, data.byteOffset);
    return data.length === 12 && header.getUint32(4, true) === header.getUint32(8, true) && header.getUint32(8, true) > 0;
  }).length;
}

function bytes({ frames }: Connection): number {
  return frames.reduce((sum, { data }) => sum + data.length, 0);
}

test("CAN-1: a signal that aborts cancels the call, and the caller gets the signal's reason", async () => {
  const { link, peer } = await linked(WELCOME);
  const abort = new AbortController();
  const call = link.call("a.method", [], {}, { signal: abort.signal });
  const other = link.call("b.method");
  const { id } = await peer.next();
  abort.abort();
  await expect(call).rejects.toMatchObject({ name: "AbortError" });
  expect(await until(() => cancelled(peer)[0])).toBe(id);
  peer.fail({ id } as never, { code: -32800, message: "Cancelled", data: "a.method" }); // is nobody's any more
  peer.answer(await peer.next(), "here");
  expect(await other).toBe("here");
  expect(cancelled(peer)).toHaveLength(1);
  expect(reported).toEqual([]);
});

test("CAN-1: a timeout cancels the call", async () => {
  const { link, peer } = await linked(WELCOME);
  const call = link.call("a.method", [], {}, { timeout: 20 });
  const { id } = await peer.next();
  await expect(call).rejects.toBeInstanceOf(TimeoutError);
  expect(await until(() => cancelled(peer)[0])).toBe(id);
});

test("EXT-3: a server that did not accept `cancel` is told nothing", async () => {
  const { link, peer } = await linked();
  const abort = new AbortController();
  const calls = [
    link.call("a.method", [], {}, { signal: abort.signal }),
    link.call("a.large", [new Uint8Array(8 * 2 ** 20)], {}, { signal: abort.signal }),
  ];
  await peer.next();
  abort.abort();
  for (const call of calls) await expect(call).rejects.toMatchObject({ name: "AbortError" });
  await settled(link, peer);
  expect([cancelled(peer), ends(peer)]).toEqual([[], 0]);
});

test("a call that has its response is not cancelled", async () => {
  const { link, peer } = await linked(WELCOME);
  const abort = new AbortController();
  const call = link.call("a.method", [], {}, { signal: abort.signal, timeout: 30 });
  peer.answer(await peer.next(), 1);
  await call;
  abort.abort();
  await new Promise((resolve) => setTimeout(resolve, 50));
  await settled(link, peer);
  expect(cancelled(peer)).toEqual([]);
});

test.each([["without flow", WELCOME], ["with flow", PACED]])("CAN-3: what is left of a large argument is not sent, %s", async (_, welcome) => {
  const { link, peer } = await linked(welcome);
  const abort = new AbortController();
  const large = link.call("a.large", [new Uint8Array(64 * 2 ** 20)], {}, { signal: abort.signal });
  const waiting = link.call("b.large", [new Uint8Array(64 * 2 ** 20)], {}, { signal: abort.signal });
  await until(() => (bytes(peer) > 20_000 ? true : undefined));
  abort.abort();
  const acknowledge = setInterval(() => welcome === PACED && peer.extension(1, peer.counted, 0), 5);
  await expect(large).rejects.toMatchObject({ name: "AbortError" });
  await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
  await settled(link, peer);
  await until(() => (ends(peer) > 0 ? true : undefined));
  clearInterval(acknowledge);
  expect(bytes(peer)).toBeLessThan(48 * 2 ** 20);
  expect(cancelled(peer)).toEqual([]); // the server never had the calls
});

test("CAN-1: a large argument that has been sent is cancelled by its id", async () => {
  const { link, peer } = await linked(WELCOME);
  const abort = new AbortController();
  const call = link.call("a.large", [new Uint8Array(2 ** 20)], {}, { signal: abort.signal });
  const { id } = await peer.next();
  abort.abort();
  await expect(call).rejects.toMatchObject({ name: "AbortError" });
  expect(await until(() => cancelled(peer)[0])).toBe(id);
  expect(ends(peer)).toBe(0);
});

test("CAN-3: a Blob that cannot be read ends its message", async () => {
  const { link, peer } = await linked(WELCOME);
  const file = new Blob([new Uint8Array(4 * 2 ** 20)]);
  const blob = new Blob([file]);
  let reads = 0;
  blob.slice = (...range) => {
    reads += 1;
    if (reads === 3) throw new Error("the file is gone");
    return file.slice(...range);
  };
  await expect(link.call("a.upload", [blob])).rejects.toThrow("the file is gone");
  await settled(link, peer);
  expect(ends(peer)).toBe(1);
});

test("CAN-3: a response that the server ends is dropped", async () => {
  const { link, peer } = await linked(WELCOME, { maxPartial: 2 });
  for (let id = 1000; id < 1010; id++) {
    peer.send(frame(new Uint8Array(100), { id, total: 1000 }));
    peer.send(frame(new Uint8Array(0), { id, offset: 1000, total: 1000 }));
  }
  await settled(link, peer);
  expect(reported).toEqual([]);
});

test("FLOW-1: cancellations are counted among what was sent", async () => {
  const { link, peer } = await linked(PACED);
  const acknowledge = setInterval(() => peer.extension(1, peer.counted, 0), 2);
  for (let n = 0; n < 50; n++) {
    const abort = new AbortController();
    const call = link.call("a.method", [], {}, { signal: abort.signal });
    await peer.next();
    abort.abort();
    await call.catch(() => undefined);
  }
  await until(() => (cancelled(peer).length === 50 ? true : undefined));
  const large = link.call("a.large", [new Uint8Array(4 * 2 ** 20)]);
  peer.answer(await peer.next(), "received");
  expect(await large).toBe("received");
  clearInterval(acknowledge);
});
