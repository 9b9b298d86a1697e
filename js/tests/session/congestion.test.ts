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
