// What arguments may be, and what of the rest is refused, by an error that names the place.
import { describe, expect, test } from "vitest";
import { NDArray, UsageError } from "../../src/index.js";
import { linked, settled } from "../support/linked.js";

class Point {
  constructor(
    readonly x: number,
    readonly y: number,
  ) {}
}

class Temperature {
  toJSON(): object {
    return { celsius: 21 };
  }
}

describe("is carried", () => {
  test.each<[string, unknown, unknown]>([
    ["a Set, as a list", new Set([1, "two", new Set([3])]), [1, "two", [3]]],
    ["a number in an object", new Number(5), 5],  
    ["a text in an object", new String("five"), "five"],  
    ["a boolean in an object", new Boolean(false), false],  
    ["a BigInt in an object", Object(5n), 5],
    ["a URL, as its text", new URL("https://example.org/a?b=c"), "https://example.org/a?b=c"],
    ["an object that has a toJSON", new Temperature(), { celsius: 21 }],
    ["an object of a class, as its own properties", new Point(1, 2), { x: 1, y: 2 }],
    ["an object without a prototype", Object.assign(Object.create(null) as object, { x: 1 }), { x: 1 }],
    ["a Map with texts and numbers as keys", new Map<unknown, unknown>([["a", 1], [2, "b"], [3n, "c"]]), { a: 1, 2: "b", 3: "c" }],
    ["an integer beyond 2^53", 2 ** 60, 2n ** 60n],
    ["the largest number that 64 bits hold", 2 ** 64 - 2048, 2n ** 64n - 2048n],
    ["the smallest", -(2 ** 63), -(2n ** 63n)],
    ["a number that 64 bits cannot hold, as a float", 2 ** 64, 2 ** 64],
    ["a large float", 1.5e300, 1.5e300],
    ["an integer as a BigInt", -(2n ** 63n), -(2n ** 63n)],
    ["text with whole surrogate pairs", "😀\u{10ffff}\0", "😀\u{10ffff}\0"],
    ["the first date that Python knows", new Date("0001-01-01T00:00:00Z"), new Date("0001-01-01T00:00:00Z")],
    ["the last one", new Date("9999-12-31T23:59:59.999Z"), new Date("9999-12-31T23:59:59.999Z")],
  ])("%s", async (_, value, arrived) => {
    const { link, peer } = await linked();
    const result = link.call("a.b", [value]);
    const call = await peer.next();
    expect(call.args).toEqual([arrived]);
    peer.answer(call, null);
    await result;
  });
});

test("a value that makes a call while it is read changes neither message", async () => {
  const { link, peer } = await linked();
  const inner: Promise<unknown>[] = [];
  const asking = Object.assign(new Point(1, 2), {
    toJSON(): string {
      inner.push(link.call("c.d", ["inner", new Uint8Array(3)]));
      return "x".repeat(5000);
    },
  });
  const outer = link.call("a.b", [asking, new Point(1, 1)]);
  const calls = [await peer.next(), await peer.next()];
  expect(calls.map(({ method, args }) => [method, args])).toEqual([
    ["c.d", ["inner", new Uint8Array(3)]],
    ["a.b", ["x".repeat(5000), { x: 1, y: 1 }]],
  ]);
  for (const call of calls) peer.answer(call, call.method);
  expect([await outer, await inner[0]]).toEqual(["a.b", "c.d"]);
});

test("a value that adds to what holds it, or takes from it, while it is read leaves the message whole", async () => {
  const { link, peer } = await linked();
  const reading = (read: () => unknown): object => ({ get x(): number { read(); return 1; } }); // prettier-ignore
  const list: unknown[] = [reading(() => list.push(3)), 2];
  const map = new Map<string, unknown>();
  const set = new Set<unknown>();
  map.set("a", reading(() => map.set(`b${map.size}`, 3)));
  set.add(reading(() => set.add(set.size)));
  const shrinking: unknown[] = [reading(() => (shrinking.length = 1)), 2];
  const calls = [list, map, set, shrinking].map((value) => link.call("a.b", [value]));
  for (const arrived of [[{ x: 1 }, 2], { a: { x: 1 } }, [{ x: 1 }], [{ x: 1 }, null]]) {
    const call = await peer.next();
    expect(call.args).toEqual([arrived]);
    peer.answer(call, null);
  }
  await Promise.all(calls);
});

function* generator(): Generator<number> {
  yield 1;
}

async function* asyncGenerator(): AsyncGenerator<number> {
  yield await Promise.resolve(1);
}

describe("is refused", () => {
  test.each<[string, unknown, string]>([
    ["a function", () => 1, "function"],
    ["a symbol", Symbol("s"), "symbol"],
    ["a symbol in an object", Object(Symbol("s")), "Symbol"],
    ["a promise", Promise.resolve(), "promise"],
    ["a RegExp", /x/, "RegExp"],
    ["an error", new Error("no"), "Error"],
    ["an error of a class", new TypeError("no"), "Error"],
    ["a DOMException", new DOMException("no"), "DOMException"],
    ["URLSearchParams", new URLSearchParams("a=b"), "URLSearchParams"],
    ["Headers", new Headers({ a: "b" }), "Headers"],
    ["FormData", new FormData(), "FormData"],
    ["a Response", new Response("x"), "Response"],
    ["a ReadableStream", new ReadableStream(), "ReadableStream"],
    ["an AbortSignal", AbortSignal.abort(), "AbortSignal"],
    ["an Event", new Event("x"), "Event"],
    ["a WeakMap", new WeakMap(), "WeakMap"],
    ["a WeakSet", new WeakSet(), "WeakSet"],
    ["a WeakRef", new WeakRef({}), "WeakRef"],
    ["an iterator of a list", [1].values(), "Array Iterator"],
    ["an iterator of a Map", new Map([[1, 2]]).entries(), "Map Iterator"],
    ["a generator", generator(), "Generator"],
    ["an asynchronous generator", asyncGenerator(), "AsyncGenerator"],
    ["an iterable of a class", new (class Trail { *[Symbol.iterator](): Generator<number> { yield 1; } })(), "Trail"], // prettier-ignore
    ["a BigInt of 65 bits", 2n ** 64n, "64 bits"],
    ["a negative BigInt of 65 bits", -(2n ** 63n) - 1n, "64 bits"],
    ["an invalid Date", new Date(NaN), "invalid Date"],
    ["a date of the year 10000", new Date("+010000-01-01T00:00:00Z"), "1 to 9999"],
    ["a date of the year 0", new Date("0000-12-31T23:59:59Z"), "1 to 9999"],
    ["the first Date", new Date(-8.64e15), "1 to 9999"],
    ["the last Date", new Date(8.64e15), "1 to 9999"],
    ["a Map with an object as key", new Map([[{}, 1]]), "neither text"],
    ["a Map with bytes as key", new Map([[new Uint8Array(1), 1]]), "neither text"],
    ["a Map with a list as key", new Map([[[1], 1]]), "neither text"],
    ["a text with half a surrogate pair", "a\ud83d", "half a surrogate pair"],
    ["a long text with the other half", `${"ü".repeat(99)}\ude00`, "half a surrogate pair"],
    ["a name with half a surrogate pair", { "\ud800": 1 }, "half a surrogate pair"],
    ["a Map with half a surrogate pair as key", new Map([["\udfff", 1]]), "half a surrogate pair"],
    ["a Map with undefined as key", new Map([[undefined, 1]]), "neither text"],
    ["a Map with a symbol as key", new Map([[Symbol("s"), 1]]), "neither text"],
    ["a getter that throws", Object.defineProperty({}, "x", { enumerable: true, get: () => { throw new Error("not now"); } }), "not now"], // prettier-ignore
  ])("%s", async (_, value, word) => {
    const { link, peer } = await linked();
    const error: unknown = await link.call("a.b", [1, { nested: [value] }]).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UsageError);
    const { message } = error as Error;
    expect(message).toMatch(/^args\[1\]\.nested\[0\]/);
    expect(message).toContain(word);
    await settled(link, peer);
  });

  test("wherever it is, by its place", async () => {
    const { link } = await linked();
    const places: [unknown[], object, string][] = [
      [[Symbol("s")], {}, "args[0]"],
      [[], { option: { "not a name": () => 1 } }, "kwargs.option.not a name"],
      [[new Map([["key", () => 1]])], {}, "args[0].get(key)"],
      [[new Map([[7, [() => 1]]])], {}, "args[0].get(7)[0]"],
      [[new Set([1, () => 1])], {}, "args[0][1]"],
      [[{ toJSON: undefined, inner: new (class { deep = { x: () => 1 }; })() }], {}, "args[0].inner.deep.x"], // prettier-ignore
    ];
    for (const [args, kwargs, place] of places) {
      await expect(link.call("a.b", args, kwargs as Record<string, unknown>)).rejects.toThrow(new RegExp(`^${place.replace(/[[\](.)]/g, "\\$&")}: a `));
    }
  });

  test("nesting without end, as a list, a map, a Set, or by toJSON", async () => {
    const { link, peer } = await linked();
    const list: unknown[] = [];
    list.push(list, list);
    const map: Record<string, unknown> = {};
    map.self = map;
    const set = new Set<unknown>();
    set.add(set);
    const json = { get itself(): unknown { return new (class { toJSON = (): unknown => json; })(); } }; // prettier-ignore
    for (const value of [list, map, set, json]) {
      const error = (await link.call("a.b", [value]).catch((reason: unknown) => reason)) as Error;
      expect(error).toBeInstanceOf(UsageError);
      expect(error.message).toMatch(/nest deeper than 512 levels, or contain themselves/);
      expect(error.message.length).toBeLessThan(400);
    }
    await settled(link, peer);
  });
});

/** A view whose buffer another thread, or a message to it, has taken. */
function transferred<T extends ArrayBufferView>(view: T): T {
  structuredClone(view.buffer, { transfer: [view.buffer as ArrayBuffer] });
  return view;
}

/** A view of what a buffer has no longer. */
function shrunk(): Float32Array {
  type Resizable = ArrayBuffer & { resize(size: number): void };
  const Buffer = ArrayBuffer as unknown as new (size: number, options: { maxByteLength: number }) => Resizable;
  const buffer = new Buffer(16, { maxByteLength: 16 });
  const view = new Float32Array(buffer, 8, 2);
  buffer.resize(4);
  return view;
}

describe("has lost its bytes, and is refused", () => {
  test.each<[string, unknown]>([
    ["a typed array", transferred(new Float32Array(4))],
    ["bytes", transferred(new Uint8Array(4))],
    ["a DataView", transferred(new DataView(new ArrayBuffer(4)))],
    ["an array with a shape", ((array) => (transferred(array.data), array))(new NDArray(new Float32Array(4), [2, 2]))],
    ["a typed array whose buffer has shrunk", shrunk()],
  ])("%s", async (_, value) => {
    const { link, peer } = await linked();
    await expect(link.call("a.b", [{ data: value }])).rejects.toThrow(/^args\[0\]\.data: TypeError: /);
    const empty = link.call("a.b", [new Float32Array(0), new Uint8Array(0), new ArrayBuffer(0), new NDArray(new Float32Array(0), [0, 3])]);
    const call = await peer.next();
    expect(call.args).toHaveLength(4);
    peer.answer(call, null);
    await empty;
  });
});
