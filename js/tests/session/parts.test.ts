// States, numbers, and hello's response, value by value.
import { describe, expect, test } from "vitest";
import { AuthenticationError, ErrorCode, ProtocolError } from "../../src/errors.js";
import { helloOf, readWelcome, refusal } from "../../src/session/hello.js";
import { Received, Unacknowledged, isCount } from "../../src/session/numbering.js";
import { Source } from "../../src/session/source.js";
import { type SessionEvent, type SessionState, transition } from "../../src/session/state.js";
import { VERSION } from "../../src/version.js";
import { HEADER_LENGTH } from "../../src/wire/limits.js";

const EVENTS: readonly SessionEvent[] = ["welcome", "cut", "close", "end"];

test.each<[SessionState, SessionState[]]>([
  ["new", ["open", "new", "closing", "closed"]],
  ["open", ["open", "reconnecting", "closing", "closed"]],
  ["reconnecting", ["open", "reconnecting", "closing", "closed"]],
  ["closing", ["closing", "closing", "closing", "closed"]],
  ["closed", ["closed", "closed", "closed", "closed"]],
])("after %s", (state, states) => {
  expect(EVENTS.map((event) => transition(state, event))).toEqual(states);
});

test("what counts", () => {
  expect([0, 1, Number.MAX_SAFE_INTEGER].map(isCount)).toEqual([true, true, true]);
  expect([-1, 0.5, 2 ** 53, NaN, "1", null, undefined, 1n].map(isCount)).toEqual(new Array<boolean>(8).fill(false));
});

describe("messages that are not kept although the other end may lack them", () => {
  test("are found again once it has them all", () => {
    const sent = new Unacknowledged<string>();
    sent.number("a", 1);
    sent.number("b", 1);
    sent.forget();
    expect([sent.messages, sent.size, sent.lost, sent.last]).toEqual([[], 0, 2, 2]);
    sent.number("c", 5);
    for (const [received, missing, lost] of [[1, [], 2], [2, [1], 2], [3, [2, 3], 2], [9, [], 2], [3, [3], 0]] as const) {
      sent.acknowledge(received, missing);
      expect(sent.lost).toBe(lost);
    }
    expect([sent.messages, sent.size]).toEqual([["c"], 5]);
    sent.forget();
    sent.acknowledge(3, []);
    expect(sent.lost).toBe(0);
  });

  test("are told by number where too many are missing", () => {
    const received = new Received(2);
    expect(() => received.take(4)).toThrow(new ProtocolError(ErrorCode.parse, "message number 4 leaves more than 2 missing (RES-3)"));
    expect([received.last, received.take(3), [...received.missing]]).toEqual([0, true, [1, 2]]);
    expect([received.take(4), received.last, received.take(3)]).toEqual([true, 4, false]);
  });
});

describe("hello", () => {
  test("says who this is, and what it takes up; a released client says nothing but its secret", () => {
    const client = { name: "wslink", version: VERSION };
    expect(helloOf("s", ["a"], { token: "t" })).toEqual({ secret: "s", features: ["a"], client, resume: { token: "t" } });
    expect(helloOf(undefined, [])).toEqual({ secret: undefined, features: [], client });
    expect(helloOf("s", undefined, { token: "t" })).toEqual({ secret: "s" });
  });

  test.each([
    ["s", "no entry: the secret is wrong"],
    [undefined, "no entry: no secret was given"],
  ])("that is refused with the secret %s", (secret, message) => {
    const error = new AuthenticationError("wslink.hello", -32000, "no entry");
    expect(refusal(error, secret)).toBe(error);
    expect(error.message).toBe(message);
  });

  const good = { clientID: "c0" };
  const resume = { token: "t", epoch: "e" };

  test("gets a response with little in it", () => {
    expect(readWelcome(good)).toEqual({ clientId: "c0", maxMsgSize: undefined, features: [], server: undefined, resumption: undefined });
    expect(readWelcome({ ...good, maxMsgSize: 13 }).maxMsgSize).toBe(13);
  });

  test.each<[unknown, object | undefined]>([
    [{ name: "n", version: "1" }, { name: "n", version: "1" }],
    [{ name: "n", version: "1", more: 1 }, { name: "n", version: "1" }],
    [{ name: "n" }, undefined],
    [{ version: "1" }, undefined],
    [{ name: 1, version: "1" }, undefined],
    [{ name: "n", version: 1 }, undefined],
    [null, undefined],
  ])("of the server %j", (server, read) => {
    expect(readWelcome({ ...good, server }).server).toEqual(read);
  });

  test("of resumption", () => {
    const nothing = { ...resume, resumed: false, reason: undefined, received: NaN, missing: [], begun: [], heartbeat: 0 };
    expect(readWelcome({ ...good, resume }).resumption).toEqual(nothing);
    expect(readWelcome({ ...good, resume: { ...resume, resumed: 1, reason: 7, heartbeat: "9" } }).resumption).toEqual(nothing);
    const all = { ...resume, resumed: true, reason: "expired", received: 3, missing: [2], begun: [[4, 5]], heartbeat: 2.5 };
    expect(readWelcome({ ...good, resume: all }).resumption).toEqual(all);
  });

  test.each<[string, unknown]>([
    ["clientID", undefined],
    ["clientID", null],
    ["clientID", 7],
    ["clientID", {}],
    ["clientID", { clientID: 7 }],
    ["clientID", { clientID: "" }],
    ["clientID", { clientID: "a:b" }],
    ["clientID", { clientID: "a b" }],
    ["maxMsgSize", { maxMsgSize: 12 }],
    ["maxMsgSize", { maxMsgSize: "100" }],
    ["maxMsgSize", { maxMsgSize: NaN }],
    ["maxMsgSize", { maxMsgSize: null }],
    ["features", { features: "all" }],
    ["features", { features: ["a", 1] }],
    ["features", { features: null }],
    ["resume", { resume: null }],
    ["resume", { resume: 7 }],
    ["resume", { resume: { epoch: "e" } }],
    ["resume", { resume: { token: "t" } }],
    ["resume", { resume: { ...resume, token: 1 } }],
    ["resume", { resume: { ...resume, epoch: 1 } }],
    ["resume", { resume: { ...resume, missing: {} } }],
    ["resume", { resume: { ...resume, missing: [1, -1] } }],
    ["resume", { resume: { ...resume, resumed: true } }],
    ["resume", { resume: { ...resume, resumed: true, received: 0.5 } }],
    ["resume", { resume: { ...resume, begun: {} } }],
    ["resume", { resume: { ...resume, begun: [[1, 2], 3] } }],
  ])("has no usable %s in %j", (key, response) => {
    const full = key === "clientID" ? response : { ...good, ...(response as object) };
    expect(() => readWelcome(full)).toThrow(new ProtocolError(ErrorCode.invalidRequest, `the response to hello has no usable ${key} (HELLO-2)`));
  });
});

test("a message is read frame by frame, whatever its parts, and a Blob as a whole where it can be", async () => {
  const whole = new Blob([new Uint8Array([4, 5, 6])]);
  whole.slice = () => expect.unreachable();
  const spare = new Array<number>(HEADER_LENGTH).fill(99);
  for (const [step, parts] of [[10, [whole]], [2, [new Blob([new Uint8Array([4, 5, 6])])]]] as const) {
    const source = new Source([new Uint8Array([...spare, 0, 1, 2, 3]), ...parts, new Uint8Array([7, 8, 9])]);
    const read: number[] = [];
    for (let at = 0; at < 10; at += step) {
      const frame = new Uint8Array(HEADER_LENGTH + step);
      await source.fill(frame);
      read.push(...frame.subarray(HEADER_LENGTH));
    }
    expect(read).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  }
});
