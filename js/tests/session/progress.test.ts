// Progress of calls (PRG), against a scripted server.
import { expect, test } from "vitest";
import { linked, reported, settled } from "../support/linked.js";
import { WELCOME_WITH_FEATURES } from "../support/peer.js";

const WELCOME = { ...WELCOME_WITH_FEATURES, features: ["subscribe", "arrays", "progress"] };

test("PRG-1: a call that asks is told of its progress, in order, and of nothing after its response", async () => {
  const { link, peer } = await linked(WELCOME);
  const seen: unknown[] = [];
  const call = link.call("a.method", [1], { two: 2 }, { onProgress: (value) => seen.push(value) });
  const asked = await peer.next();
  expect(asked).toMatchObject({ progress: true, method: "a.method", args: [1], kwargs: { two: 2 } });
  peer.together(() => {
    peer.extension(7, asked.id, 0.5);
    peer.extension(7, asked.id, { done: [1, null] });
    peer.answer(asked, "result");
    peer.extension(7, asked.id, "too late");
  });
  expect(await call).toBe("result");
  await settled(link, peer);
  expect(seen).toEqual([0.5, { done: [1, null] }]);
  expect(reported).toEqual([]);
});

test("PRG-1: a stream that asks is told of its progress, too", async () => {
  const { link, peer } = await linked({ ...WELCOME, features: [...WELCOME.features, "stream"] });
  const seen: unknown[] = [];
  const stream = link.stream("a.method", [1], {}, { window: 4, onProgress: (value) => seen.push(value) });
  const first = stream.next();
  const asked = await peer.next();
  expect(asked).toMatchObject({ progress: true, stream: 4, method: "a.method" });
  peer.together(() => {
    peer.extension(7, asked.id, "half");
    peer.extension(3, asked.id, 0, "item");
    peer.answer(asked, null);
    peer.extension(7, asked.id, "too late");
  });
  expect([await first, await stream.next()]).toEqual([{ done: false, value: "item" }, { done: true, value: undefined }]);
  await settled(link, peer);
  expect(seen).toEqual(["half"]);
  expect(reported).toEqual([]);
});

test("a call that does not ask is the same as ever", async () => {
  const { link, peer } = await linked(WELCOME);
  const call = link.call("a.method");
  const asked = await peer.next();
  expect(Object.keys(asked)).toEqual(["wslink", "id", "method", "args"]);
  peer.extension(7, asked.id, 1);
  peer.answer(asked, null);
  expect(await call).toBe(null);
  expect(reported).toEqual([]);
});

test("what onProgress throws is reported, and the call goes on", async () => {
  const { link, peer } = await linked(WELCOME);
  const call = link.call("a.method", [], {}, {
    onProgress: () => {
      throw new Error("mine");
    },
  });
  const asked = await peer.next();
  peer.extension(7, asked.id, 1);
  peer.extension(7, ["nonsense"], 1);
  peer.extension(7);
  peer.answer(asked, "all the same");
  expect(await call).toBe("all the same");
  expect(reported).toMatchObject([{ message: "mine" }]);
});

test("a call that was given up is told nothing more", async () => {
  const { link, peer } = await linked(WELCOME);
  const abort = new AbortController();
  const seen: unknown[] = [];
  const call = link.call("a.method", [], {}, { signal: abort.signal, onProgress: (value) => seen.push(value) });
  const asked = await peer.next();
  abort.abort();
  await expect(call).rejects.toMatchObject({ name: "AbortError" });
  peer.extension(7, asked.id, 1);
  await settled(link, peer);
  expect(seen).toEqual([]);
});
