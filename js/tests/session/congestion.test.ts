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
