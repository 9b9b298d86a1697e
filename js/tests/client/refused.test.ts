// Calls that are refused before they are made: nothing of them is sent, and nothing of their arguments is used up.
import { describe, expect, test } from "vitest";
import { ref } from "vue";
import { type CallOptions, ConnectionError, type Link, UsageError } from "../../src/index.js";
import { linked } from "../support/linked.js";
import { type Connection, WELCOME_WITH_FEATURES } from "../support/peer.js";

const WELCOME = { ...WELCOME_WITH_FEATURES, features: ["subscribe", "arrays", "stream", "cancel"] };

/** What the server has got since: what `link` sends next comes behind it. */
async function got(link: Link, peer: Connection): Promise<string[]> {
  const done = link.call("end");
  const methods: string[] = [];
  for (let call = await peer.next(); ; call = await peer.next()) {
    methods.push(call.method);
    peer.answer(call, null);
    if (call.method === "end") break;
  }
  await done;
  return methods;
}

test.each<[string, object]>([
  ["a misspelt option", { timout: 5 }],
  ["a negative timeout", { timeout: -1 }],
  ["a timeout that is no number", { timeout: NaN }],
  ["a timeout that is text", { timeout: "5" }],
  ["onProgress that is no function", { onProgress: 5 }],
  ["onTransfer that is no function", { onTransfer: "log" }],
  ["retry beside a misspelt option", { retry: true, tmeout: 5 }],
])("a call with %s", async (_, options) => {
  const { link, peer } = await linked(WELCOME);
  await expect(link.call("a.b", [1], {}, options as CallOptions)).rejects.toBeInstanceOf(UsageError);
  await expect(link.call("a.b", [new ReadableStream()], {}, options as CallOptions)).rejects.toBeInstanceOf(UsageError);
  expect(await got(link, peer)).toEqual(["end"]);
});

test("a call that a getter of an argument gives up, or whose link it closes", async () => {
  const { link, peer } = await linked(WELCOME);
  const abort = new AbortController();
  const giving = { get now(): number { abort.abort("mine"); return 1; } }; // prettier-ignore
  await expect(link.call("a.b", [giving], {}, { signal: abort.signal })).rejects.toBe("mine");
  expect(await got(link, peer)).toEqual(["end"]);
  const closing = { get now(): number { void link.close(); return 1; } }; // prettier-ignore
  await expect(link.call("a.b", [closing])).rejects.toBeInstanceOf(ConnectionError);
});

describe("a ReadableStream as an argument", () => {
  const stream = (): ReadableStream<string> => new ReadableStream({ start: (controller) => (controller.enqueue("first"), controller.close()) });

  test.each<[string, (link: Link, source: ReadableStream) => Promise<unknown>]>([
    ["beside an argument that cannot be sent", (link, source) => link.call("a.b", [source, () => 1])],
    ["behind one", (link, source) => link.call("a.b", [Symbol("s")], { source })],
    ["beside a stream that is locked", (link, source) => link.call("a.b", [source, locked()])],
    ["in a call with a misspelt option", (link, source) => link.call("a.b", [source], {}, { timout: 5 } as CallOptions)],
    ["in a call that was given up before", (link, source) => link.call("a.b", [source], {}, { signal: AbortSignal.abort() })],
    ["of a link that is closed", async (link, source) => (await link.close(), link.call("a.b", [source]))],
  ])("%s can still be read", async (_, call) => {
    const { link } = await linked(WELCOME);
    const source = stream();
    await expect(call(link, source)).rejects.toThrow();
    expect(source.locked).toBe(false);
    expect(await source.getReader().read()).toEqual({ done: false, value: "first" });
  });

  test("is refused where another reads it", async () => {
    const { link, peer } = await linked(WELCOME);
    await expect(link.call("a.b", [locked()])).rejects.toThrow(new UsageError("a locked ReadableStream cannot be sent"));
    expect(await got(link, peer)).toEqual(["end"]);
  });

  test("twice in a call fails it, and the server hears of the second", async () => {
    const { link, peer } = await linked(WELCOME);
    const source = stream();
    const call = expect(link.call("a.b", [source, source])).rejects.toThrow(/locked/);
    const { id } = await peer.next();
    peer.extension(5, id, 4, 0);
    peer.extension(5, id, 4, 1);
    await call;
    expect(await got(link, peer)).toEqual(["end"]);
    expect(peer.extensions.filter(([type, of]) => type === 4 && of === id)).toMatchObject([[4, id, 1, null, 0], [4, id, 0, { code: -32001 }, 1]]);
  });

  function locked(): ReadableStream {
    const source = stream();
    source.getReader();
    return source;
  }
});

test("a subscription that Vue keeps can be cancelled, and none can be sent", async () => {
  const { link, peer } = await linked(WELCOME);
  const kept = ref({ subscription: link.subscribe("a.b", () => undefined), link });
  await expect(kept.value.link.call("a.b", [kept.value.subscription])).rejects.toThrow("args[0]: a Subscription cannot be sent");
  peer.answer(await peer.next(), { delivery: "latest" });
  await kept.value.subscription.ready;
  const ended = kept.value.subscription.cancel();
  peer.answer(await peer.next(), null);
  await ended;
});
