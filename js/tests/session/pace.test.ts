// When a chunk may go, on a clock that a test moves (FLOW-4).
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Pace } from "../../src/session/pace.js";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"], now: 1000 }));
afterEach(() => void vi.useRealTimers());

describe("the pace of a line", () => {
  test("a chunk waits until there is room, or nothing is sent any more", async () => {
    for (const wake of ["acknowledged", "end"] as const) {
      const pace = new Pace();
      let turned = 0;
      await pace.turn();
      pace.sent(65_535);
      expect(pace.open).toBe(true);
      await pace.turn();
      pace.sent(1);
      expect(pace.open).toBe(false);
      const waiting = [pace.turn(), pace.turn()].map((turn) => turn.then(() => (turned += 1)));
      await vi.advanceTimersByTimeAsync(1000);
      expect(turned).toBe(0);
      if (wake === "end") pace.end();
      else pace.acknowledged(65_536, 0);
      await Promise.all(waiting);
      expect(turned).toBe(2);
    }
  });

  test("what the server held back does not count against the line", async () => {
    const pace = new Pace();
    pace.sent(65_536);
    await vi.advanceTimersByTimeAsync(50);
    pace.acknowledged(65_536, 25);
    expect(pace.chunkSize).toBe(Math.floor(0.02 * 65_536 / 0.025));
  });

  test("a chunk goes when its time has come", async () => {
    const pace = new Pace();
    const told: number[] = [];
    let total = 0;
    for (let round = 0; round < 40; round++) {
      for (let n = 0; n < 4; n++) pace.sent(16_384);
      total += 65_536;
      await vi.advanceTimersByTimeAsync(50);
      pace.acknowledged(total, 0);
    }
    expect(pace.chunkSize).toBe(Math.floor(0.02 * 65_536 / 0.05));
    for (let n = 0; n < 3; n++) pace.sent(pace.chunkSize);
    void pace.turn().then(() => told.push(performance.now()));
    const begun = performance.now();
    await vi.advanceTimersByTimeAsync(1);
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(500);
    expect((told[0] as number) - begun).toBeGreaterThan(10);
    expect((told[0] as number) - begun).toBeLessThan(400);
  });

  test("a line that looked slow for a moment is not waited for once nothing is on its way", async () => {
    const pace = new Pace();
    pace.sent(200);
    pace.sent(200);
    await vi.advanceTimersByTimeAsync(300);
    pace.acknowledged(200, 0);
    await vi.advanceTimersByTimeAsync(500);
    pace.acknowledged(400, 0);
    let total = 400;
    const begun = performance.now();
    for (let chunks = 0; chunks < 20; chunks++) {
      let went = false;
      const turn = pace.turn().then(() => (went = true));
      await vi.advanceTimersByTimeAsync(0);
      expect(went, `chunk ${chunks}`).toBe(true);
      await turn;
      pace.sent(pace.chunkSize);
      total += pace.chunkSize;
      await vi.advanceTimersByTimeAsync(2);
      pace.acknowledged(total, 0);
    }
    expect(performance.now() - begun).toBeLessThan(100);
  });
});
