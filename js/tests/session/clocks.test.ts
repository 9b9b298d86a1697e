// When acknowledgements are due and when a line is given up, to the millisecond (FLOW-1 to FLOW-5, RES-5, RES-11).
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Flow } from "../../src/session/features/flow.js";
import { Resume, type Resumption } from "../../src/session/features/resume.js";
import { Assembler } from "../../src/wire/assembler.js";
import type { UnaskedMessage } from "../../src/wire/messages.js";
import { chunk } from "../support/inside.js";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"], now: 1000 });
  vi.stubGlobal("MessageChannel", undefined); // new tasks of the event loop are timers of 0 ms, too
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const pass = (milliseconds: number): unknown => vi.advanceTimersByTime(milliseconds);

/** Makes timers so many milliseconds late. */
function delayed(milliseconds: number): { mockRestore: () => void } {
  const now = performance.now.bind(performance);
  return vi.spyOn(performance, "now").mockImplementation(() => now() + milliseconds);
}

describe("acknowledgements", () => {
  function flowing(accepted: boolean, position?: readonly unknown[]) {
    const said: unknown[] = [];
    const host = {
      notify: (items: readonly unknown[]) => void said.push(items),
      startFlow: () => void said.push("starts"),
      acknowledged: (...heard: number[]) => void said.push(["heard", ...heard]),
      received: (...heard: unknown[]) => void said.push(["received", ...heard]),
    };
    const flow = new Flow(host, position && { position });
    pass(1000);
    flow.negotiated(accepted);
    flow.ask();
    flow.count(1, undefined);
    pass(0);
    flow.disconnected(); // takes what is due with it
    pass(10);
    flow.resumed();
    expect(vi.getTimerCount()).toBe(0);
    said.length = 0;
    return { flow, said, heard: (...items: unknown[]) => flow.receive({ kind: "extension", type: items[0] as number, items }) };
  }

  test("of the first frame go at once, those within 4 ms together, 25 ms after the first of them", () => {
    const { flow, said } = flowing(true);
    flow.count(60, undefined);
    flow.count(40, undefined); // in the same turn of the event loop
    expect(said).toEqual([]);
    pass(0);
    expect(said).toEqual([[1, 100, 0]]);
    pass(3);
    flow.count(50, undefined);
    flow.count(25, undefined);
    pass(24);
    expect(said).toHaveLength(1);
    pass(1);
    expect(said.slice(1)).toEqual([[1, 175, 25]]);
    pass(100);
    expect(said).toHaveLength(2);
  });

  test("go 4 ms after the one before", () => {
    const { flow, said } = flowing(true);
    pass(10);
    for (const [wait, count] of [[0, 1], [3.5, 1], [0.5, 2]] as const) {
      pass(wait);
      flow.count(1, undefined);
      pass(0);
      expect(said).toHaveLength(count);
    }
    expect(vi.getTimerCount()).toBe(0);
  });

  test("go at once for 64 KiB", () => {
    const { flow, said } = flowing(true);
    pass(10);
    flow.count(1, undefined);
    pass(0);
    flow.count(65_535, undefined);
    expect(said).toHaveLength(1);
    flow.count(1, undefined);
    expect(said.slice(1)).toEqual([[1, 65_537, 0]]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("where the session is only to be resumed, go within a second, and at once for 1 MiB", () => {
    const { flow, said } = flowing(false, [7, [3]]);
    pass(10);
    flow.count(1, undefined);
    pass(999);
    flow.count(2 ** 20 - 2, undefined);
    expect(said).toEqual([]);
    pass(1);
    expect(said).toEqual([[1, 2 ** 20 - 1, 1, 7, [3]]]);
    flow.count(2 ** 20, undefined);
    expect(said.slice(1)).toEqual([[1, 2 ** 21 - 1, 0, 7, [3]]]);
  });

  test("do not count those of the server, settled publications and credit", () => {
    const { flow, said } = flowing(true);
    pass(10);
    for (const kind of [1, 2, 5]) flow.count(100, kind);
    pass(100);
    expect(said).toEqual([]);
    flow.count(7, 6);
    pass(0);
    expect(said).toEqual([[1, 7, 0]]);
  });

  test("do not go where nobody wants them, nor without a connection", () => {
    const { flow, said, heard } = flowing(false);
    flow.count(2 ** 21, undefined);
    flow.settle(1, 5);
    flow.ask();
    expect(heard(1, 5, 0)).toBe(false);
    const other = flowing(true);
    other.flow.settle(1, 5);
    other.flow.disconnected();
    other.flow.count(2 ** 21, undefined);
    other.flow.settle(1, 5);
    other.flow.ask();
    pass(100);
    expect([said, other.said, vi.getTimerCount()]).toEqual([[], [[2, 1, 1, 5]], 0]);
  });

  test("of callbacks go at once, and 4 ms after those before, with the latest duration", () => {
    const { flow, said } = flowing(true);
    pass(10);
    flow.settle(1, 4.6);
    expect(said).toEqual([[2, 1, 1, 5]]);
    pass(1);
    flow.settle(1, 2.4);
    flow.settle(2, 9);
    pass(2.9);
    expect(said).toHaveLength(1);
    pass(0.1);
    expect(said.slice(1)).toEqual([[2, 1, 2, 2], [2, 2, 1, 9]]);
    pass(4);
    flow.settle(2, 1);
    expect(said.slice(3)).toEqual([[2, 2, 2, 1]]);
  });

  test("of callbacks wait for those before, whatever was acknowledged meanwhile", () => {
    const { flow, said } = flowing(true);
    pass(10);
    flow.settle(1, 1);
    pass(3);
    flow.count(10, undefined); // due in 25 ms, but the callback's comes first, and takes it along
    flow.settle(1, 1);
    pass(1);
    expect(said.slice(1)).toEqual([[1, 10, 1], [2, 1, 2, 1]]);
    pass(50);
    expect(said).toHaveLength(3);
  });

  test("of subscriptions that have ended do not go, and count anew in a new session", () => {
    const { flow, said } = flowing(true);
    pass(10);
    for (const subscription of [1, 2]) flow.settle(subscription, 1);
    pass(1);
    flow.settle(1, 1);
    flow.forget(1);
    pass(10);
    expect(said).toEqual([[2, 1, 1, 1], [2, 2, 1, 1]]);
    flow.resumed(); // only those that are left
    pass(30);
    expect(said.slice(2)).toEqual(["starts", [2, 2, 1, 1]]);
    flow.negotiated(true);
    pass(30);
    flow.settle(2, 1);
    expect(said.slice(4)).toEqual(["starts", [2, 2, 1, 1]]);
  });

  test.each<[unknown[], unknown[]]>([
    [[1, 5, 3], [["heard", 5, 3]]],
    [[1, 0, 0], [["heard", 0, 0]]],
    [[1, 5, 60_001], [["heard", 5, 60_000]]],
    [[1, 5, 3, 9, [7, 8]], [["heard", 5, 3], ["received", 9, [7, 8]]]],
    [[1, 5, 3, 0, []], [["heard", 5, 3], ["received", 0, []]]],
    [[1, -1, 3, 9, []], [["received", 9, []]]],
    [[1, 5, -1, 9, []], [["received", 9, []]]],
    [[1, 5, "3", 9, []], [["received", 9, []]]],
    [[1, 5.5, 3], []],
    [[1, null, 3], []],
    [[1, 5], []],
    [[1], []],
    [[1, 5, 3, -1, []], [["heard", 5, 3]]],
    [[1, 5, 3, 9, [1, -1]], [["heard", 5, 3]]],
    [[1, 5, 3, 9, [1, "2"]], [["heard", 5, 3]]],
    [[1, 5, 3, 9, {}], [["heard", 5, 3]]],
    [[1, 5, 3, 9], [["heard", 5, 3]]],
    [[1, 5, 3, 9, "12"], [["heard", 5, 3]]],
    [[1, 5, 3, "9", []], [["heard", 5, 3]]],
  ])("of the server, %j: what makes no sense changes nothing (FLOW-2)", (items, expected) => {
    const { said, heard } = flowing(true);
    expect(heard(...items)).toBe(true);
    expect(said).toEqual(expected);
  });

  test("are for no other message", () => {
    const { flow, said, heard } = flowing(true);
    expect(heard(2, 5, 3)).toBe(false);
    expect(flow.receive({ kind: "publication", type: 1, items: [1, 5, 3] } as unknown as UnaskedMessage)).toBe(false);
    expect(said).toEqual([]);
  });

  test("that the server asks for go at once, 4 ms after the last", () => {
    const { flow, said, heard } = flowing(true, [2, []]);
    pass(10);
    for (const asks of [false, 1, "true"]) heard(1, 0, 0, 0, [], asks);
    expect(said.filter((one) => (one as unknown[])[0] === 1)).toEqual([]);
    said.length = 0;
    heard(1, 0, 0, 0, [], true);
    expect(said.at(-1)).toEqual([1, 0, 0, 2, []]);
    said.length = 0;
    pass(3.9);
    heard(1, 0, 0, 0, [], true);
    expect(said.filter((one) => (one as unknown[])[0] === 1)).toEqual([]);
    pass(0.1);
    heard(1, 0, 0, 0, [], true);
    expect(said.at(-1)).toEqual([1, 0, 0, 2, []]);
    flow.ask();
    expect(said.at(-1)).toEqual([1, 0, 0, 2, [], true]);
  });

  test("say how long the newest frame was held back", () => {
    const { flow, said } = flowing(true);
    pass(10);
    flow.count(5, undefined);
    pass(0);
    pass(7.6);
    flow.ask();
    expect(said).toEqual([[1, 5, 0], [1, 5, 8, true]]);
  });
});

describe("a line", () => {
  const given: Resumption = { token: "t", epoch: "e", resumed: false, reason: undefined, received: 0, missing: [], begun: [], heartbeat: 0 };

  function listening(heartbeat: number) {
    const [ask, lost] = [vi.fn(), vi.fn()];
    const resume = new Resume(4, ask, lost);
    pass(5000);
    resume.welcome({ ...given, heartbeat }, new Assembler({ maxMessage: 100, maxPartial: 4 }));
    const counts = (): number[] => [ask.mock.calls.length, lost.mock.calls.length];
    return { resume, counts };
  }

  test("that falls silent is asked after the heartbeat, and given up 5 s later", () => {
    const { counts } = listening(2);
    pass(1999);
    expect(counts()).toEqual([0, 0]);
    pass(1);
    expect(counts()).toEqual([1, 0]);
    pass(4999);
    expect(counts()).toEqual([1, 0]);
    pass(1);
    expect(counts()).toEqual([1, 1]);
    pass(100_000);
    expect(counts()).toEqual([1, 1]);
  });

  test("is asked so long after the last that was heard", () => {
    const { resume, counts } = listening(2);
    pass(1500);
    resume.heard();
    pass(1999);
    expect(counts()).toEqual([0, 0]);
    pass(1);
    expect(counts()).toEqual([1, 0]);
  });

  test.each([0, 2500, 4999])("that answers after %i ms is kept, and listened to as before", (after) => {
    const { resume, counts } = listening(2);
    pass(2000);
    pass(after);
    resume.heard();
    pass(5000 - after);
    expect(counts()).toEqual([after > 3000 ? 1 : 2, 0]);
    pass(2000);
    expect(counts()[1]).toBe(0);
    expect(counts()[0]).toBe(2);
  });

  test("has another second where this side was held up", () => {
    const { resume, counts } = listening(2);
    pass(2000);
    const late = delayed(1001);
    pass(5000); // its timer comes 1,001 ms late
    late.mockRestore();
    expect(counts()).toEqual([1, 0]);
    pass(999);
    expect(counts()).toEqual([1, 0]);
    pass(1);
    expect(counts()).toEqual([1, 1]);
    expect(resume.received?.last).toBe(0);
  });

  test("has none where it was held up for less", () => {
    const { counts } = listening(2);
    pass(2000);
    const late = delayed(1000);
    pass(5000);
    late.mockRestore();
    expect(counts()).toEqual([1, 1]);
  });

  test.each([0, -1])("is not listened to with a heartbeat of %i", (heartbeat) => {
    listening(heartbeat);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is asked once a day at the least", () => {
    const { counts } = listening(1e9);
    pass(86_400_000 - 1);
    expect(counts()).toEqual([0, 0]);
    pass(1);
    expect(counts()).toEqual([1, 0]);
  });

  test("that has ended is neither asked nor given up, and the next has a timer of its own", () => {
    const { resume, counts } = listening(2);
    resume.disconnected();
    expect(vi.getTimerCount()).toBe(0);
    const assembler = new Assembler({ maxMessage: 100, maxPartial: 4 });
    for (let n = 0; n < 3; n++) resume.welcome({ ...given, heartbeat: 2 }, assembler);
    expect(vi.getTimerCount()).toBe(1);
    resume.welcome(undefined, assembler);
    expect([vi.getTimerCount(), counts()]).toEqual([0, [0, 0]]);
  });

  test("what a session takes up, and says of it", () => {
    const { resume } = listening(0);
    expect([resume.request(false), resume.position]).toEqual([{ token: "t", received: 0, missing: [] }, [0, []]]);
    for (const number of [1, 4]) resume.received?.take(number);
    const assembler = new Assembler({ maxMessage: 100, maxPartial: 4 });
    assembler.add(chunk(2, 0, 30, 60));
    resume.keep(assembler);
    resume.keep(new Assembler({ maxMessage: 100, maxPartial: 4 })); // a connection in vain
    expect(resume.request(false)).toEqual({ token: "t", received: 4, missing: [2, 3], begun: [[2, 30]] });
    expect([resume.request(true), resume.position]).toEqual([{}, [4, [2, 3]]]);
    const next = new Assembler({ maxMessage: 100, maxPartial: 4 });
    resume.welcome({ ...given, token: "u", resumed: true }, next);
    expect(next.add(chunk(2, 30, 60, 60))).toHaveLength(60);
    expect(resume.request(false)).toEqual({ token: "u", received: 4, missing: [2, 3] });
  });

  test("what a session that begins anew takes up", () => {
    const { resume } = listening(0);
    resume.received?.take(1);
    const assembler = new Assembler({ maxMessage: 100, maxPartial: 4 });
    assembler.add(chunk(2, 0, 30, 60));
    resume.keep(assembler);
    const next = new Assembler({ maxMessage: 100, maxPartial: 4 });
    resume.welcome({ ...given, token: "u" }, next);
    expect(next.beginnings.size).toBe(0);
    expect(resume.request(false)).toEqual({ token: "u", received: 0, missing: [] });
    expect(() => resume.received?.take(6)).toThrow("more than 4 missing");
    resume.welcome(undefined, next);
    expect([resume.request(false), resume.position, resume.received]).toEqual([{}, [], undefined]);
  });
});
