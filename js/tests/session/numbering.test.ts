// The numbers of messages, by which a connection takes up where the one before it ended (RES-2 to RES-4).
import { describe, expect, test } from "vitest";
import { Received, Unacknowledged } from "../../src/session/numbering.js";

describe("numbers", () => {
  test("of what was sent: what is missing is kept, what is acknowledged is not", () => {
    const sent = new Unacknowledged<string>();
    expect(["a", "b", "c", "d"].map((message) => sent.number(message, 10))).toEqual([1, 2, 3, 4]);
    sent.acknowledge(3, [2]);
    expect([sent.messages, sent.size]).toEqual([["b", "d"], 20]);
    sent.acknowledge(5, []); // never sent
    expect(sent.messages).toEqual(["b", "d"]);
    sent.acknowledge(4, [2]);
    expect(sent.messages).toEqual(["b"]);
    sent.acknowledge(4, []);
    expect([sent.messages, sent.size, sent.last]).toEqual([[], 0, 4]);
  });

  test("of what has arrived", () => {
    const received = new Received(3);
    expect([1, 1, 4, 2, 2, 3, 4].map((number) => received.take(number))).toEqual([true, false, true, true, false, true, false]);
    expect([received.last, received.missing.size]).toEqual([4, 0]);
    expect(() => received.take(9)).toThrow("missing");
    expect(received.take(8)).toBe(true);
  });
});
