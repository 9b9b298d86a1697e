// Calls that wait, and when they wait no longer.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { TimeoutError, UsageError } from "../../src/errors.js";
import { giveUpAfter } from "../../src/rpc/deadline.js";
import { PendingCalls } from "../../src/rpc/pending.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function late(timeout: number): Error {
  return new Error(`late: ${timeout}`);
}

describe("a deadline", () => {
  test("comes when its time is over, and not a millisecond before", () => {
    const reasons: unknown[] = [];
    giveUpAfter({ timeout: 20 }, late, (reason) => reasons.push(reason));
    vi.advanceTimersByTime(19);
    expect(reasons).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(reasons).toEqual([new Error("late: 20")]);
  });

  test.each([0, Infinity, 2 ** 31])("of %i never comes", (timeout) => {
    giveUpAfter({ timeout }, late, () => expect.unreachable());
    expect(vi.getTimerCount()).toBe(0);
  });

  test("may be the longest that timers know", () => {
    giveUpAfter({ timeout: 2 ** 31 - 1 }, late, () => undefined);
    expect(vi.getTimerCount()).toBe(1);
  });

  test("that is called off leaves neither timer nor listener", () => {
    const { signal } = new AbortController();
    const [add, remove] = [vi.spyOn(signal, "addEventListener"), vi.spyOn(signal, "removeEventListener")];
    giveUpAfter({ timeout: 20, signal }, late, () => expect.unreachable())();
    expect(vi.getTimerCount()).toBe(0);
    expect(remove.mock.calls).toEqual([add.mock.calls[0]?.slice(0, 2)]);
  });

  test("comes with the signal's reason", () => {
    const abort = new AbortController();
    const reasons: unknown[] = [];
    giveUpAfter({ signal: abort.signal }, late, (reason) => reasons.push(reason));
    abort.abort("enough");
    expect(reasons).toEqual(["enough"]);
  });

  test("takes no other options", () => {
    expect(() => giveUpAfter({ timout: 5 } as object, late, () => undefined)).toThrow(new UsageError("timout is not an option"));
    expect(() => giveUpAfter({ timeout: -1 }, late, () => undefined)).toThrow(new UsageError("timeout must be a number from 0 on, not -1"));
  });
});

describe("calls that wait", () => {
  test("are told of by id, and settled once", async () => {
    const givenUp: string[] = [];
    const pending = new PendingCalls((id) => givenUp.push(id));
    const [one, two] = [pending.wait("1", "a.b", {}), pending.wait("2", "c.d", { timeout: 20 })];
    expect([pending.ids, pending.has("1"), pending.has("3")]).toEqual([["1", "2"], true, false]);
    expect([pending.resolve("1", "result"), pending.resolve("1", "again"), pending.resolve("3", "none")]).toEqual([true, false, false]);
    expect([pending.ids, pending.has("1")]).toEqual([["2"], false]);
    expect([pending.reject("2", (method) => new Error(`no ${method}`)), pending.reject("2", () => 1)]).toEqual([true, false]);
    expect(vi.getTimerCount()).toBe(0);
    expect(await one).toBe("result");
    await expect(two).rejects.toThrow("no c.d");
    expect(givenUp).toEqual([]);
  });

  test("are given up when their time is over, and told so", async () => {
    const givenUp: string[] = [];
    const pending = new PendingCalls((id) => givenUp.push(id));
    const call = pending.wait("1", "a.b", { timeout: 20 });
    vi.advanceTimersByTime(20);
    await expect(call).rejects.toEqual(new TimeoutError("a.b", 20));
    expect([givenUp, pending.ids]).toEqual([["1"], []]);
  });

  test("fail together in the order in which they were made", async () => {
    const pending = new PendingCalls(() => expect.unreachable());
    const order: string[] = [];
    const calls = ["3", "1", "2"].map((id) => pending.wait(id, "a.b", { timeout: 5 }).catch((reason: unknown) => order.push(`${id} ${String(reason)}`)));
    pending.rejectAll("gone");
    await Promise.all(calls);
    expect([order, pending.ids, vi.getTimerCount()]).toEqual([["3 gone", "1 gone", "2 gone"], [], 0]);
  });
});
