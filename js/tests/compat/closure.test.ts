// CompositeClosureHelper, ours beside npm 2.5.0: applications make classes of their own with it.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { MAKERS } from "../support/compat.js";

interface Lamp {
  isA(name: string): boolean;
  getColour(): string;
  setColour(colour: string): void;
  onSwitch(callback: (...args: unknown[]) => void): { unsubscribe(): void } | null;
  fireSwitch(...args: unknown[]): void;
  onNow(callback: (...args: unknown[]) => void): { unsubscribe(): void };
  fireNow(...args: unknown[]): void;
  destroy(...args: unknown[]): void;
}

interface Model {
  colour?: string;
  subscriptions?: { unsubscribe(): void }[];
}

beforeEach(() => {
  vi.spyOn(console, "log").mockImplementation(() => undefined);
  vi.spyOn(console, "error").mockImplementation(() => undefined);
});

afterEach(() => vi.restoreAllMocks());

describe.each(MAKERS)("%s", (_, make) => {
  async function lamp(initialValues?: Model): Promise<{ lamp: Lamp; model: Model }> {
    const { CompositeClosureHelper: helper } = await make();
    let kept: Model = {};
    const extend = (publicAPI: object, model: Model, values: Model = {}): void => {
      kept = Object.assign(model, { colour: "red" }, values);
      helper.destroy(publicAPI, model);
      helper.event(publicAPI, model, "switch");
      helper.event(publicAPI, model, "Now", false);
      helper.isA(publicAPI, model, "Thing");
      helper.isA(publicAPI, model, "Lamp");
      helper.get(publicAPI, model, ["colour"]);
      helper.set(publicAPI, model, ["colour"]);
    };
    return { lamp: helper.newInstance(extend)(initialValues) as Lamp, model: kept };
  }

  test("gives methods and state", async () => {
    const made = (await lamp({ colour: "blue" })).lamp;
    expect(Object.isFrozen(made)).toBe(true);
    expect([made.isA("Lamp"), made.isA("Thing"), made.isA("Sun")]).toEqual([true, true, false]);
    expect(made.getColour()).toBe("blue");
    made.setColour("green");
    expect(made.getColour()).toBe("green");
    expect((await lamp()).lamp.getColour()).toBe("red");
  });

  test("calls back later, or at once", async () => {
    const made = (await lamp()).lamp;
    const seen: unknown[] = [];
    made.onSwitch((...args) => seen.push(["later", ...args]));
    made.onNow((...args) => seen.push(["now", ...args]));
    made.fireSwitch(1, 2);
    made.fireNow(3);
    seen.push("end of turn");
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(seen).toEqual([["now", 3], "end of turn", ["later", 1, 2]]);
  });

  test("calls all, also when one throws, and none that is unsubscribed", async () => {
    const made = (await lamp()).lamp;
    const seen: unknown[] = [];
    made.onNow(() => {
      throw new Error("mine");
    });
    const second = made.onNow(() => seen.push(2));
    made.onNow(() => seen.push(3));
    made.fireNow();
    second.unsubscribe();
    made.fireNow();
    expect(seen).toEqual([2, 3, 3]);
  });

  test("ends", async () => {
    const { lamp: made, model } = await lamp();
    const unsubscribe = vi.fn();
    const seen: unknown[] = [];
    model.subscriptions?.push({ unsubscribe });
    made.onSwitch(() => seen.push(1));
    made.fireSwitch();
    made.destroy();
    expect(unsubscribe).toHaveBeenCalledTimes(1);
    expect(model).toEqual({ deleted: true });
    made.fireSwitch();
    expect(made.onSwitch(() => undefined)).toBeNull();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(seen).toEqual([]);
  });

  test("chains functions", async () => {
    const { CompositeClosureHelper: helper } = await make();
    const seen: unknown[] = [];
    helper.chain(undefined, (a: number) => seen.push(a), null, (a: number, b: number) => seen.push(b))(1, 2);
    expect(seen).toEqual([1, 2]);
  });
});
