// What this client and this project's server negotiate beyond the released protocol, and what becomes of it with a released server.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Link, NDArray, UnsupportedError, connect } from "../../src/index.js";
import { PythonServer, type ServerName } from "./python.js";

let server: PythonServer;
let link: Link;

function linkTo(name: ServerName): void {
  beforeAll(async () => {
    server = await PythonServer.start(name);
    link = await connect(server.url, { secret: "s3cret" });
  });

  afterAll(async () => {
    await link.close();
    await server.stop();
  });
}

describe("with a released server", () => {
  linkTo("released");

  test("filters are refused on this side", async () => {
    await expect(link.subscribe("test.numbers", () => undefined, { filter: { a: 1 } }).ready).rejects.toBeInstanceOf(UnsupportedError);
  });

  test("arrays go as bytes", async () => {
    expect(await link.call("test.length", [new Float64Array(10)])).toBe(80);
  });
});

describe("with this project's server", () => {
  linkTo("ours");

  /** What was published before has arrived: it comes in order, after the result of the call that published it. */
  const arrived = (): Promise<unknown> => link.call("test.echo", [null]);

  test("filters", async () => {
    const rows: number[] = [];
    const subscription = link.subscribe<{ row: number }>("test.tiles", ({ row }) => rows.push(row), { filter: { row: { gte: 3, lt: 6 } } });
    await subscription.ready;
    await link.call("test.publish_tiles", [10]);
    await subscription.update({ row: [1, 8] });
    await link.call("test.publish_tiles", [10]);
    await subscription.update({ row: 0 });
    await link.call("test.publish_tiles", [10]);
    await arrived();
    await subscription.cancel();
    await link.call("test.publish_tiles", [10]);
    await arrived();
    expect(rows).toEqual([3, 4, 5, 1, 8, 0]);
  });

  test("two subscriptions to one topic share a publication", async () => {
    const seen: string[] = [];
    const low = link.subscribe<{ row: number }>("test.tiles", ({ row }) => seen.push(`low ${row}`), { filter: { row: { lte: 1 } } });
    const odd = link.subscribe<{ row: number }>("test.tiles", ({ row }) => seen.push(`odd ${row}`), { filter: { row: [1, 3] } });
    await Promise.all([low.ready, odd.ready]);
    await link.call("test.publish_tiles", [4]);
    await arrived();
    await Promise.all([low.cancel(), odd.cancel()]);
    expect(seen).toEqual(["low 0", "low 1", "odd 1", "odd 3"]);
  });

  test("how a topic is delivered", async () => {
    const subscription = link.subscribe("test.newest", () => undefined);
    await subscription.ready;
    expect(subscription.delivery).toBe("latest");
  });

  test.each([
    ["an unknown topic", "test.nothing", undefined],
    ["a bad filter", "test.tiles", { row: { around: 3 } }],
  ])("%s is refused", async (_, topic, filter) => {
    const { ready } = link.subscribe(topic, () => undefined, { filter: filter as never });
    await expect(ready).rejects.toMatchObject({ name: "CallError", code: -32602 });
  });

  test.each(["|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f4", "<f8", "<c8", "<c16"])("arrays of %s", async (dtype) => {
    const array = await link.call<NDArray>("test.grid", [dtype, [30, 40]]);
    expect(array).toBeInstanceOf(NDArray);
    expect(array).toMatchObject({ dtype, shape: [30, 40] });
    expect(await link.call("test.echo", [array])).toEqual(array);
  });

  async function ended(name: string): Promise<void> {
    for (let tries = 0; !(await link.call<string[]>("test.ended")).includes(name); tries++) {
      if (tries === 200) throw new Error(`${name} did not end`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  test.each(["test.hang", "test.hang_in_thread"])("a call of %s that is aborted ends in Python", async (method) => {
    const abort = new AbortController();
    const call = link.call(method, [method], {}, { signal: abort.signal });
    await link.call("test.echo", [null]);
    abort.abort();
    await expect(call).rejects.toMatchObject({ name: "AbortError" });
    await ended(method);
    await expect(link.call(method, ["late"], {}, { timeout: 50 })).rejects.toMatchObject({ name: "TimeoutError" });
    await ended("late");
  });

  test("a large response that is aborted is sent no further, and the link goes on", async () => {
    for (let n = 0; n < 5; n++) {
      const abort = new AbortController();
      const large = link.call("test.zeros", [256 * 2 ** 20], {}, { signal: abort.signal });
      await new Promise((resolve) => setTimeout(resolve, 100));
      abort.abort();
      await expect(large).rejects.toMatchObject({ name: "AbortError" });
      expect(await link.call("test.add", [1, 2])).toBe(3);
    }
    expect(await link.call("test.length", [await link.call("test.zeros", [2 ** 24])])).toBe(2 ** 24);
  });

  test("a large argument that is aborted is sent no further, and the link goes on", async () => {
    for (let n = 0; n < 5; n++) {
      const large = link.call("test.length", [new Uint8Array(128 * 2 ** 20)], {}, { timeout: 20 });
      await expect(large).rejects.toMatchObject({ name: "TimeoutError" });
      expect(await link.call("test.add", [1, 2])).toBe(3);
    }
  });

  test("arrays that this side makes", async () => {
    expect(await link.call("test.describe", [new NDArray(new Float32Array([1, 2, 3, 4, 5, 6]), [2, 3])])).toEqual(["<f4", [2, 3], [1, 2, 3, 4, 5, 6]]);
    expect(await link.call("test.describe", [new Int16Array([-1, 2])])).toEqual(["<i2", [2], [-1, 2]]);
  });
});
