// The streams of calls, against a session that a test stands for (STR).
import { describe, expect, test } from "vitest";
import { UnsupportedError } from "../../src/errors.js";
import { Streams } from "../../src/session/features/stream.js";
import { StreamKey } from "../../src/wire/extensions.js";
import { turns } from "../support/inside.js";

describe("streams", () => {
  async function* letters(): AsyncGenerator<string> {
    for (const letter of "abcdef") yield await Promise.resolve(letter);
  }

  function streaming() {
    const [noticed, posted]: [unknown[], [string, unknown, () => boolean][]] = [[], []];
    const streams = new Streams({ notify: (items) => void noticed.push(items), post: (...one) => Promise.resolve(void posted.push(one)) });
    streams.negotiated(true);
    return { streams, noticed, posted, heard: (...items: unknown[]) => streams.receive({ kind: "extension", type: items[0] as number, items }) };
  }

  test("in arguments are lifted out by keys, and nothing else is", () => {
    const { streams } = streaming();
    const [args, kwargs] = [[1, [letters()]], { x: 2 }];
    const same = streams.lift("1", args, kwargs);
    expect([same.args, same.kwargs, same.outlets]).toEqual([args, kwargs, []]);
    expect(same.args).toBe(args);
    const lifted = streams.lift("1", [1, letters()], { x: 2, by: letters() });
    expect([lifted.args, lifted.kwargs, lifted.outlets.length]).toEqual([[1, new StreamKey(0)], { x: 2, by: new StreamKey(1) }, 2]);
    expect(streams.lift("1", [letters()], undefined)).toMatchObject({ args: [new StreamKey(0)], kwargs: undefined });
  });

  test("in arguments get credit by their keys, and by nothing that only looks like it", async () => {
    const { streams, posted, heard } = streaming();
    let respond: () => void = () => undefined;
    const failed: unknown[] = [];
    const { outlets } = streams.lift("1", [letters(), letters()], undefined);
    streams.feed("1", outlets, new Promise<void>((resolve) => (respond = resolve)), (error) => failed.push(error));
    const nothing = [[4, "1", 5, 0], [5, "1", 5, "0"], [5, "1", 5, -1], [5, "1", 5, 2], [5, "1", "5", 0], [5, "2", 5, 0], [5], [3, "1", 0, 0]];
    for (const items of nothing) expect(heard(...items)).toBe(true);
    await turns(3);
    expect(posted).toEqual([]);
    heard(5, "1", 2, 1);
    await turns(3);
    expect(posted.map(([key, items]) => [key, items])).toEqual([["", [3, "1", 0, "a", 1]], ["", [3, "1", 1, "b", 1]]]);
    expect(posted[0]?.[2]()).toBe(true);
    respond();
    await turns(3);
    heard(5, "1", 9, 1);
    await turns(3);
    expect([posted.length, posted[0]?.[2](), failed]).toEqual([2, false, []]);
  });

  test("in arguments end with their number, and a failure of one is told", async () => {
    const { streams, posted, heard } = streaming();
    const failed: unknown[] = [];
    const broken = (async function* () {
      yield await Promise.resolve(1);
      throw new Error("mine");
    })(); // prettier-ignore
    const { outlets } = streams.lift("1", [letters(), broken], undefined);
    streams.feed("1", outlets, new Promise(() => undefined), (error) => failed.push(error));
    for (const key of [0, 1]) heard(5, "1", 9, key);
    await turns(3);
    expect(posted.map(([, items]) => items)).toContainEqual([4, "1", 6, null, 0]);
    expect(posted.map(([, items]) => items)).toContainEqual([4, "1", 1, { code: -32001, message: "Error: mine" }, 1]);
    expect(failed).toEqual([new Error("mine")]);
  });

  test("of results are read while their call lasts, and let in again after a return", async () => {
    const { streams, noticed, heard } = streaming();
    const items = streams.read("1", 2)[Symbol.asyncIterator]();
    heard(3, "1", 0, "a");
    expect(await items.next()).toEqual({ done: false, value: "a" });
    streams.resumed();
    expect(noticed).toEqual([[5, "1", 3], [5, "1", 3]]);
    streams.close("1");
    streams.close("1");
    streams.resumed();
    heard(3, "1", 1, "b");
    expect(noticed).toHaveLength(2);
  });

  test("are theirs only where they were accepted", () => {
    const { streams, heard } = streaming();
    expect([heard(2), heard(6), streams.receive({ kind: "response", id: "1", result: 3 })]).toEqual([false, false, false]);
    streams.negotiated(false);
    expect(heard(3, "1", 0, 1)).toBe(false);
    expect(() => streams.read("1", 2)).toThrow(UnsupportedError);
    expect(() => streams.lift("1", [letters()], undefined)).toThrow(new UnsupportedError("this server knows no streams"));
    expect(streams.lift("1", [1], undefined).args).toEqual([1]);
  });
});
