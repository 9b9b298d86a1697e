// Subscriptions, handlers and cancellation, each against a session that a test stands for.
import { describe, expect, test, vi } from "vitest";
import { ConnectionError, UnsupportedError, UsageError } from "../../src/errors.js";
import { Cancel } from "../../src/session/features/cancel.js";
import { Handlers } from "../../src/session/features/handle.js";
import { Progress } from "../../src/session/features/progress.js";
import { type Delivery, Subscriptions } from "../../src/session/features/subscribe.js";
import type { UnaskedMessage } from "../../src/wire/messages.js";
import { turns } from "../support/inside.js";

const gone = new ConnectionError("gone", 1006, "");

function publication(topic: string, subscriptions?: number[], payload: unknown = topic): UnaskedMessage {
  return { kind: "publication", topic, number: 3, payload, subscriptions, traceparent: undefined };
}

describe("subscriptions", () => {
  type Settle = (result: unknown) => void;

  function subscribing(accepted = true) {
    const asked: [string, unknown, boolean | undefined][] = [];
    const answers: [Settle, Settle][] = [];
    const settled: unknown[] = [];
    const system = (...request: [string, object, boolean?]): Promise<unknown> => {
      asked.push([request[0], JSON.parse(JSON.stringify(request[1])), request[2]]);
      return new Promise((resolve, reject) => answers.push([resolve, reject]));
    };
    const subscriptions = new Subscriptions({ system }, {
      settle: (id, duration) => void settled.push([id, duration >= 0 && duration < 1000]),
      forget: (id) => void settled.push(["forget", id]),
    }); // prettier-ignore
    subscriptions.negotiated(accepted);
    const answer = async (result: unknown): Promise<void> => {
      answers.shift()?.[0](result);
      await turns(2);
    };
    const refuse = async (error: unknown): Promise<void> => {
      answers.shift()?.[1](error);
      await turns(2);
    };
    return { subscriptions, asked, answer, refuse, settled };
  }

  test("ask with their options, and know how they are delivered", async () => {
    const { subscriptions, asked, answer } = subscribing();
    const one = subscriptions.add("a.b", () => undefined, { filter: { row: 1 }, window: 2, maxRate: 3 });
    expect(asked).toEqual([["subscribe", { subscription: 1, topic: "a.b", filter: { row: 1 }, window: 2, max_rate: 3 }, true]]);
    await answer({ delivery: "latest" });
    expect(one.delivery).toBe("latest");
    for (const [result, delivery] of [[null, "reliable"], [{}, "reliable"], [{ delivery: "mixed" }, "mixed"]] as [unknown, Delivery][]) {
      const updated = one.update(null);
      await answer(result);
      await updated;
      expect(one.delivery).toBe(delivery);
    }
    expect(asked.at(-1)).toEqual(["subscribe", { subscription: 1, topic: "a.b", window: 2, max_rate: 3 }, true]);
  });

  test("take no other options", () => {
    const { subscriptions } = subscribing();
    expect(() => subscriptions.add("a.b", () => undefined, { windows: 1 } as object)).toThrow(new UsageError("windows is not an option"));
  });

  test("are made again in a session that begins anew, with the filter in effect; what failed or was not ready is not", async () => {
    const { subscriptions, asked, answer, refuse } = subscribing();
    const one = subscriptions.add("a.b", () => undefined, { filter: { row: 1 } });
    await answer({ delivery: "latest" });
    const refused = expect(one.update({ row: 2 })).rejects.toThrow("no");
    await refuse(new Error("no"));
    await refused;
    void subscriptions.add("c.d", () => undefined, {}).ready.catch(() => undefined);
    asked.length = 0;
    subscriptions.negotiated(true);
    expect(asked).toEqual([["subscribe", { subscription: 1, topic: "a.b", filter: { row: 1 } }, false]]);
  });

  test("that are refused in the next session are gone, and reported though their `ready` was looked at; not so where it has ended, too", async () => {
    const reports = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const { subscriptions, answer, refuse, settled } = subscribing();
    const seen: unknown[] = [];
    const one = subscriptions.add("a.b", (payload) => seen.push(payload), {});
    const { ready } = one;
    await answer({ delivery: "latest" });
    await ready;
    subscriptions.negotiated(true);
    await refuse(gone);
    subscriptions.receive(publication("a.b", [1]));
    expect([seen, reports.mock.calls]).toEqual([["a.b"], []]);
    subscriptions.negotiated(true);
    await answer({ delivery: "reliable" });
    expect(one.delivery).toBe("reliable");
    subscriptions.negotiated(true);
    await refuse(new Error("not any more"));
    subscriptions.receive(publication("a.b", [1]));
    expect([seen, reports.mock.calls]).toEqual([["a.b"], [[new Error("not any more")]]]);
    expect(settled).toEqual([[1, true]]);
    reports.mockRestore();
  });

  test("get what names them and is of their topic, once, and tell when it is dealt with", async () => {
    const reports = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const { subscriptions, settled } = subscribing();
    const seen: unknown[] = [];
    subscriptions.add("a.b", (payload, info) => void seen.push([1, payload, info]), {});
    subscriptions.add("a.*", (payload) => void seen.push([2, payload]), {});
    subscriptions.add("a.b", (payload) => Promise.resolve(void seen.push([3, payload])), {});
    expect(subscriptions.receive(publication("a.b", [3, 1, 1, 2, 9]))).toBe(true);
    expect(seen).toEqual([[3, "a.b"], [1, "a.b", { topic: "a.b", number: 3 }], [2, "a.b"]]);
    expect(settled).toEqual([[1, true], [2, true]]);
    await turns(2);
    expect(settled.slice(2)).toEqual([[3, true]]);
    seen.length = 0;
    subscriptions.receive(publication("a.c", [1, 2, 3]));
    expect(seen).toEqual([[2, "a.c"]]);
    expect(subscriptions.receive({ kind: "response", id: "x", result: 1 })).toBe(false);
    expect(reports).not.toHaveBeenCalled();
    reports.mockRestore();
    expect(() => subscriptions.receive(publication("a.c"))).toThrow("a publication of a.c names no subscriptions (SUB-6)");
  });

  test("tell of nothing that was begun in another session, or that has ended meanwhile", async () => {
    const { subscriptions, settled, answer } = subscribing();
    const finish: (() => void)[] = [];
    const one = subscriptions.add("a.b", () => new Promise<void>((resolve) => finish.push(resolve)), {});
    subscriptions.receive(publication("a.b", [1]));
    subscriptions.negotiated(true);
    subscriptions.receive(publication("a.b", [1]));
    finish[0]?.();
    await turns(2);
    expect(settled).toEqual([]);
    finish[1]?.();
    await turns(2);
    expect(settled).toEqual([[1, true]]);
    subscriptions.receive(publication("a.b", [1]));
    await answer({});
    void one.cancel();
    finish[2]?.();
    await turns(2);
    expect(settled.slice(1)).toEqual([["forget", 1]]);
  });

  test("end once, whether or not the server hears of it", async () => {
    const { subscriptions, asked, answer, refuse, settled } = subscribing();
    const one = subscriptions.add("a.b", () => expect.unreachable(), {});
    await answer({});
    const cancelled = [one.cancel(), one.cancel()];
    expect(cancelled[0]).toBe(cancelled[1]);
    subscriptions.receive(publication("a.b", [1]));
    expect(asked.slice(1)).toEqual([["unsubscribe", { subscription: 1 }, undefined]]);
    await refuse(new Error("no"));
    await Promise.all(cancelled);
    await expect(one.update({ row: 1 })).rejects.toEqual(new UsageError("the subscription to a.b has ended"));
    expect([asked.length, settled]).toEqual([2, [["forget", 1]]]);
  });

  test("reject after the end of the session, and get nothing", async () => {
    const { subscriptions, asked } = subscribing();
    subscriptions.add("a.b", () => expect.unreachable(), {});
    subscriptions.end(gone);
    subscriptions.receive(publication("a.b", [1]));
    await expect(subscriptions.add("a.b", () => undefined, {}).ready).rejects.toBe(gone);
    expect(asked).toHaveLength(1);
  });

  test("of a server that sends everything get their topic, and neither filters nor patterns", async () => {
    const { subscriptions, asked, settled } = subscribing(false);
    const seen: unknown[] = [];
    const one = subscriptions.add("a.b", (payload) => void seen.push(payload), {});
    await one.ready;
    expect(one.delivery).toBe("reliable");
    for (const topic of ["a.b", "a.c"]) subscriptions.receive(publication(topic, [9]));
    expect(seen).toEqual(["a.b"]);
    const refused = new UnsupportedError('cannot filter a.*: this server sends everything to everybody');
    await expect(subscriptions.add("a.*", () => undefined, {}).ready).rejects.toEqual(refused);
    await expect(one.update({ row: 1 })).rejects.toBeInstanceOf(UnsupportedError);
    await one.update({});
    await one.cancel();
    expect([asked, settled]).toEqual([[], [[1, true]]]);
  });

  test.each([{ row: undefined }, { row: 1, column: undefined }])("refuse the filter %o", async (filter) => {
    const { subscriptions, asked } = subscribing();
    await expect(subscriptions.add("a.b", () => undefined, { filter: filter as never }).ready).rejects.toEqual(new UsageError("a filter's condition is undefined"));
    expect(asked).toEqual([]);
  });
});

describe("handlers", () => {
  function serving(most = 2) {
    const posted: [string, unknown, () => boolean][] = [];
    const withdrawn: string[] = [];
    const handlers = new Handlers({ post: (...one) => Promise.resolve(void posted.push(one)), withdraw: (id) => void withdrawn.push(id) }, most);
    handlers.negotiated(true);
    const call = (id: string, method: string, more: object = {}): boolean =>
      handlers.receive({ kind: "call", id, method, args: [], kwargs: {}, progress: false, traceparent: undefined, ...more });
    return { handlers, posted, withdrawn, call };
  }

  test("respond under a name of their own, behind what was told of progress", async () => {
    const { handlers, posted, withdrawn, call } = serving();
    handlers.add("a.b", () => undefined);
    expect(call("rpc:x:1", "a.b")).toBe(true);
    await turns(2);
    expect(posted.map(([key, what]) => [key, what])).toEqual([[">rpc:x:1", { wslink: "1.0", id: "rpc:x:1", result: null }]]);
    expect([withdrawn, posted[0]?.[2]()]).toEqual([["~rpc:x:1"], true]);
    handlers.negotiated(true);
    expect(posted[0]?.[2]()).toBe(false); // not in the next session
  });

  test("tell progress that is wanted, while the call runs", async () => {
    const { handlers, posted, withdrawn, call } = serving();
    let told: (value: unknown) => void = () => undefined;
    let finish: () => void = () => undefined;
    handlers.add("a.b", (_args, _kwargs, { progress }) => {
      told = progress;
      return new Promise<void>((resolve) => (finish = resolve));
    });
    call("rpc:x:1", "a.b");
    told(0);
    finish();
    await turns(2);
    posted.length = withdrawn.length = 0;
    call("rpc:x:2", "a.b", { progress: true });
    told(1);
    expect(posted.map(([key, what]) => [key, what])).toEqual([["~rpc:x:2", [7, "rpc:x:2", 1]]]);
    expect([withdrawn, posted[0]?.[2]()]).toEqual([["~rpc:x:2"], true]);
    finish();
    await turns(2);
    told(2);
    expect([posted.length, posted[0]?.[2]()]).toEqual([2, false]);
    call("rpc:x:3", "a.b", { progress: true });
    handlers.receive({ kind: "extension", type: 6, items: [6, "rpc:x:3"] });
    told(3);
    expect(posted).toHaveLength(2);
  });

  test("of unknown methods are named by up to 1,024 characters", async () => {
    const { posted, call } = serving();
    call("rpc:x:1", "m".repeat(2000));
    await turns(2);
    const method = "m".repeat(1024);
    expect(posted[0]?.[1]).toMatchObject({ error: { code: -32601, message: `Unregistered method called: ${method}`, data: method } });
  });

  test("that are given up are told so, and a response that waits is withdrawn", async () => {
    const { handlers, posted, withdrawn, call } = serving();
    let aborted = 0;
    handlers.add("a.b", (_args, _kwargs, { signal }) => new Promise((resolve) => signal.addEventListener("abort", () => resolve((aborted += 1)))));
    call("rpc:x:1", "a.b");
    expect(handlers.receive({ kind: "extension", type: 6, items: [6, "rpc:x:1"] })).toBe(true);
    await turns(2);
    expect([aborted, posted[0]?.[1]]).toEqual([1, { wslink: "1.0", id: "rpc:x:1", error: { code: -32800, message: "Cancelled", data: "a.b" } }]);
    withdrawn.length = 0;
    handlers.receive({ kind: "extension", type: 6, items: [6, "rpc:x:1"] });
    expect(withdrawn).toEqual([">rpc:x:1"]);
  });

  test("of a session that has ended respond to nobody, and nothing else is theirs", async () => {
    const { handlers, posted, call } = serving();
    const finish: (() => void)[] = [];
    const signals: AbortSignal[] = [];
    handlers.add("a.b", (_args, _kwargs, { signal }) => {
      signals.push(signal);
      return new Promise<void>((resolve) => finish.push(resolve));
    });
    call("rpc:x:1", "a.b");
    handlers.negotiated(true);
    call("rpc:x:1", "a.b");
    finish[0]?.();
    await turns(2);
    expect([signals.map(({ aborted }) => aborted), posted]).toEqual([[true, false], []]);
    expect(handlers.receive({ kind: "extension", type: 5, items: [5, "rpc:x:1"] })).toBe(false);
    expect(handlers.receive({ kind: "response", id: "rpc:x:1", result: 1 })).toBe(false);
    handlers.end();
    expect([signals[1]?.aborted, call("rpc:x:2", "a.b")]).toEqual([true, false]);
  });

  test("are removed by whom they were added", () => {
    const { handlers } = serving();
    const remove = handlers.add("a.b", () => 1);
    expect(() => handlers.add("a.b", () => 2)).toThrow(new UsageError("there is a handler of a.b already"));
    remove();
    handlers.add("a.b", () => 2);
    remove();
    expect(() => handlers.add("a.b", () => 3)).toThrow(UsageError);
  });
});

test("cancellation is told where it was accepted, and the call was sent", () => {
  const [acceptEnds, urge, withdraw] = [vi.fn(), vi.fn(), vi.fn((_id: string, sent: () => void) => sent())];
  const cancel = new Cancel({ acceptEnds, urge, withdraw });
  cancel.negotiated(false);
  cancel.giveUp("1");
  cancel.resumed();
  expect([acceptEnds, urge, withdraw].map(({ mock }) => mock.calls.length)).toEqual([0, 0, 0]);
  cancel.negotiated(true);
  cancel.giveUp("1");
  cancel.resumed();
  expect([acceptEnds.mock.calls.length, urge.mock.calls, withdraw.mock.calls[0]?.[0]]).toEqual([2, [[[6, "1"]]], "1"]);
  cancel.end();
  cancel.giveUp("2");
  cancel.resumed();
  expect([acceptEnds, urge, withdraw].map(({ mock }) => mock.calls.length)).toEqual([2, 1, 1]);
});

test("progress is told to the call that it names, until that is over", async () => {
  const progress = new Progress();
  const seen: unknown[] = [];
  let over: () => void = () => undefined;
  progress.watch("1", (value) => seen.push(value), new Promise<void>((resolve) => (over = resolve)));
  progress.watch("2", () => expect.unreachable(), Promise.reject(new Error("failed")));
  await turns(1);
  const told = (...items: unknown[]): boolean => progress.receive({ kind: "extension", type: items[0] as number, items });
  expect([told(7, "1", "a"), told(7, "2", "b"), told(7, "3", "c"), told(6, "1", "d")]).toEqual([true, true, true, false]);
  over();
  await turns(1);
  expect(told(7, "1", "e")).toBe(true);
  expect(seen).toEqual(["a"]);
  expect(progress.receive({ kind: "response", id: "1", result: 7 })).toBe(false);
});
