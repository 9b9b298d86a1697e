// Calls in both directions between this client and this project's server.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Link, MethodError, NDArray, connect } from "../../src/index.js";
import { Line } from "../support/line.js";
import { PythonServer } from "./python.js";

let server: PythonServer;
let line: Line;
let link: Link;

describe.each(["picows", "aiohttp"])("served by %s", (engine) => {
  beforeEach(async () => {
    server = await PythonServer.start("ours", engine);
    line = await Line.to(server.url);
    link = await connect(line.url, { secret: "s3cret", reconnect: { initial: 20, max: 100 } });
  });

  afterEach(async () => {
    await link.close();
    await line.close();
    await server.stop();
  });

  test("the server calls, with values of every kind and size, and gets errors as they are thrown", async () => {
    link.handle("a.echo", ([value]: [unknown]) => value);
    link.handle("a.fail", () => {
      throw new MethodError("no", { code: 5, data: [1] });
    });
    const array = new NDArray(new Float32Array([1, 2, 3, 4]), [2, 2]);
    expect(await link.call("test.ask", ["a.echo", { x: [1, null, "text"] }])).toEqual({ x: [1, null, "text"] });
    expect(await link.call("test.ask", ["a.echo", array])).toMatchObject({ shape: [2, 2], dtype: "<f4" });
    const large = new Uint8Array(3_000_000).fill(7);
    expect(await link.call<Uint8Array>("test.ask", ["a.echo", large])).toHaveLength(3_000_000);
    await expect(link.call("test.ask", ["a.fail"])).rejects.toMatchObject({ code: -32001, message: expect.stringContaining("no (5)") as unknown });
    await expect(link.call("test.ask", ["no.such"])).rejects.toMatchObject({ message: expect.stringContaining("-32601") as unknown });
  });

  test("a timeout of the server's aborts the handler's signal", async () => {
    const aborted = new Promise<boolean>((resolve) => {
      link.handle("a.wait", (_args, _kwargs, { signal }) => new Promise(() => signal.addEventListener("abort", () => resolve(signal.aborted))));
    });
    expect(await link.call("test.ask", ["a.wait"], { timeout: 0.1 })).toBe("timeout");
    expect(await aborted).toBe(true);
  });

  test("calls of both directions go on across cuts, each served once", async () => {
    const served: number[] = [];
    link.handle("a.serve", ([value]: [number]) => {
      served.push(value);
      return value * 2;
    });
    const cutting = setInterval(() => line.cut(), 60);
    const calls = Array.from({ length: 300 }, async (_, value) => {
      await new Promise((resolve) => setTimeout(resolve, value * 2));
      return link.call("test.ask", ["a.serve", value]);
    });
    const results = await Promise.all(calls);
    clearInterval(cutting);
    expect(results).toEqual(results.map((_, value) => value * 2));
    expect(served.sort((one, other) => one - other)).toEqual(results.map((_, value) => value));
  });

  test("progress arrives in order and before the response", async () => {
    const seen: number[] = [];
    expect(await link.call("test.steps", [200], {}, { onProgress: (value) => seen.push((value as [number])[0]) })).toBe(200);
    expect(seen).toEqual([...seen].sort((one, other) => one - other));
    expect(seen.at(-1)).toBe(199);
  });

  test("of a slider's calls the last one runs", async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 30 }, (_, value) => link.call("test.slide", [value])));
    expect(outcomes.at(-1)).toEqual({ status: "fulfilled", value: 29 });
    const codes = outcomes.map((outcome) => (outcome.status === "rejected" ? (outcome.reason as { code: number }).code : 0));
    expect(codes.filter((code) => code === -32801).length).toBeGreaterThan(20);
    expect(codes.every((code) => code === 0 || code === -32801)).toBe(true);
  });

  test("a client that the server disconnects does not come back", async () => {
    await link.call("test.dismiss").catch(() => undefined);
    expect(await link.closed).toEqual({ code: 4002, reason: "enough" });
    expect(link.state).toBe("closed");
  });
});
