import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Watch } from "../../src/notebook/watch.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** What a watch has asked and told. */
function watched(): { watch: Watch; asked: () => number; told: boolean[] } {
  const told: boolean[] = [];
  let asked = 0;
  const watch = new Watch(
    () => asked++,
    (silent) => told.push(silent),
  );
  return { watch, asked: () => asked, told };
}

test("a page that is never answered is told of a silent kernel, once", () => {
  const { watch, asked, told } = watched();
  watch.start();
  vi.advanceTimersByTime(4999);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(told).toEqual([true]);
  vi.advanceTimersByTime(600_000);
  expect(told).toEqual([true]);
  expect(asked()).toBeLessThan(80); // what waits for a kernel that runs a long cell
});

test("a kernel that is quiet is asked after some seconds, and is silent only where it does not answer", () => {
  const { watch, asked, told } = watched();
  watch.start();
  const timer = setInterval(() => watch.heard(), 4000);
  vi.advanceTimersByTime(60_000);
  expect(asked()).toBe(0);
  clearInterval(timer);
  vi.advanceTimersByTime(8000);
  expect(asked()).toBe(1);
  vi.advanceTimersByTime(4999);
  expect(told).toEqual([]);
  watch.heard();
  vi.advanceTimersByTime(12_999);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(told).toEqual([true]); // 13 s after it was heard last, at most
  watch.heard();
  expect(told).toEqual([true, false]);
});

test("a watch that has stopped tells nothing more, also where the question shows that there is no kernel", () => {
  const told: boolean[] = [];
  const watch: Watch = new Watch(
    () => watch.stop(),
    (silent) => told.push(silent),
  );
  watch.start();
  watch.heard();
  vi.advanceTimersByTime(600_000);
  watch.heard();
  expect(told).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test("a page that is loaded again while the kernel is silent is told as soon as it is heard", () => {
  const { watch, told } = watched();
  watch.start();
  vi.advanceTimersByTime(5000);
  watch.start();
  vi.advanceTimersByTime(4999);
  expect(told).toEqual([true]);
  watch.heard();
  expect(told).toEqual([true, false]);
  vi.advanceTimersByTime(13_000);
  expect(told).toEqual([true, false, true]);
});
