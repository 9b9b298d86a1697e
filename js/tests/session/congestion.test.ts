import { expect, test } from "vitest";
import { CongestionController } from "../../src/session/congestion.js";
import { readVectors } from "../support/vectors.js";

type Step = ["idle"] | ["sent" | "acknowledged", number, number, [number, number, number, number | null]];

const { cases } = readVectors<{ cases: { name: string; steps: Step[] }[] }>("congestion");

test.each(cases)("vector: $name", ({ steps }) => {
  const controller = new CongestionController(0);
  for (const step of steps) {
    if (step[0] === "idle") {
      controller.idle();
      continue;
    }
    const [operation, now, size, expected] = step;
    controller[operation](now, size);
    const delay = controller.delay(now);
    const found = [controller.window, controller.chunkSize, controller.rate, delay === Infinity ? null : delay];
    expect(found.map(rounded)).toEqual(expected.map(rounded));
  }
});

function rounded(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(9));
}

test("the time for which the peer held an acknowledgement back does not count against the line", () => {
  const rates = [0, 0.05].map((held) => {
    const controller = new CongestionController(0);
    controller.sent(0, 10_000);
    controller.acknowledged(0.1, 10_000, held);
    return controller.rate;
  });
  expect(rates[1]).toBeGreaterThan(1.9 * (rates[0] as number));
});

test("nothing is known of a line at first, and what makes no sense changes nothing", () => {
  const controller = new CongestionController(5);
  const state = (): number[] => [controller.window, controller.chunkSize, controller.rate, controller.rtt, controller.minRtt, controller.inFlight];
  expect([...state(), controller.delay(5)]).toEqual([65_536, 16_384, 0, Infinity, Infinity, 0, 0]);
  controller.sent(5, 65_535);
  expect(controller.delay(5)).toBe(0);
  controller.sent(5, 1);
  expect(controller.delay(5)).toBe(Infinity);
  for (const total of [0, 65_537, -1, NaN]) controller.acknowledged(6, total);
  expect(state()).toEqual([65_536, 16_384, 0, Infinity, Infinity, 65_536]);
  controller.acknowledged(5.125, 65_536);
  expect(state()).toEqual([Math.floor(1.25 * 65_536) + 2 * 16_384, 16_384, 524_288, 0.125, 0.125, 0]);
  controller.acknowledged(9, 65_536);
  expect(controller.delivered).toBe(65_536);
});

test.each([
  [32e6, 8_388_608, true],
  [32e6 - 8, Math.floor(1.25 * (4e6 - 1)) + 2 * 639_999, false],
])("a line of %i bytes a second", (rate, window, fast) => {
  const controller = new CongestionController(0);
  controller.sent(0, rate / 8);
  controller.acknowledged(0.125, rate / 8);
  expect([controller.rate, controller.window]).toEqual([rate, window]);
  controller.sent(0.125, 1_000_000);
  expect(controller.delay(0.125) === 0).toBe(fast);
});

test("a chunk is never larger than a frame with its header may be", () => {
  const controller = new CongestionController(0);
  controller.sent(0, 2 ** 30);
  controller.acknowledged(0.01, 2 ** 30);
  expect(controller.chunkSize).toBe(4096 * 1024 - 4096);
});

test("a chunk that is acknowledged in part is on its way still", () => {
  const controller = new CongestionController(0);
  controller.sent(0, 1000);
  controller.acknowledged(1, 999);
  expect([controller.rate, controller.rtt, controller.inFlight]).toEqual([0, Infinity, 1]);
  controller.acknowledged(2, 1000);
  expect(controller.rtt).toBe(2);
});
