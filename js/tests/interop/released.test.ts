// The released API, ours beside npm 2.5.0, against Python servers: the released one, and this project's.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { WebsocketConnection, WebsocketSession } from "../../src/compat/WebsocketConnection.js";
import { MAKERS, failure, ours, watch } from "../support/compat.js";
import { PythonServer, type ServerName } from "./python.js";

const MIB = 2 ** 20;
const SERVERS: ServerName[] = ["released", "ours"];
const PAIRS = MAKERS.flatMap(([client, make]) => SERVERS.map((server) => [client, server, make] as const));

describe.each(PAIRS)("%s with the server %s", (_, name, make) => {
  let server: PythonServer;
  let connection: WebsocketConnection;
  let session: WebsocketSession;

  async function connect(secret = "s3cret"): Promise<WebsocketConnection> {
    const { WebsocketConnection } = await make();
    const made = WebsocketConnection.newInstance({ urls: server.url, secret });
    const { fired } = watch(made);
    made.connect();
    await Promise.race([fired("ready"), fired("error").then(([error]) => Promise.reject(error as Error))]);
    return made;
  }

  beforeAll(async () => {
    server = await PythonServer.start(name);
    connection = await connect();
    session = connection.getSession();
  });

  afterAll(async () => {
    connection.destroy(-1);
    await server.stop();
  });

  test("refuses a wrong secret", async () => {
    expect(await failure(connect("wrong"))).toMatchObject({ code: -32000, message: "Authentication failed" });
  });

  test("call, with args and kwargs", async () => {
    expect(await session.call("test.add", [40], { b: 2 })).toBe(42);
    expect(await session.call("test.add", [41])).toBe(42);
  });

  test("failures", async () => {
    const unknown = { code: -32601, message: "Unregistered method called", data: "test.nothing" };
    expect(await failure(session.call("test.nothing"))).toStrictEqual(unknown);
    const raised = { code: -32001, data: { method: "test.fail", exception: "ValueError('no way')" } };
    expect(await failure(session.call("test.fail"))).toMatchObject(raised);
    expect(await failure(session.call("test.unserializable"))).toMatchObject({ code: -32002, data: "test.unserializable" });
  });

  test.each([
    [[null, true, 0, -1, 1.5, "naïve 🌍", 2 ** 40, -(2 ** 40), NaN, Infinity]],
    [{ nested: [{ deeply: new Uint8Array([0, 255]) }], empty: [{}, [], new Uint8Array(0), ""] }],
  ])("echo %#", async (value) => {
    expect(await session.call("test.echo", [value])).toEqual(value);
  });

  test.each([1, 8, 64])("%i MiB both ways", async (size) => {
    const data = new Uint8Array(size * MIB);
    for (let index = 0; index < data.length; index += 4093) data[index] = index;
    const echoed = await session.call<Uint8Array>("test.echo", [session.addAttachment(data.buffer)]);
    expect(Buffer.compare(echoed, data)).toBe(0);
  });

  /** The numbers that arrive, and where among them the result of the call that publishes them does. */
  async function publish(count: number): Promise<{ numbers: number[]; resultAt: number }> {
    const numbers: number[] = [];
    const enough = new Promise<void>((resolve) => {
      const subscription = session.subscribe<{ number: number }>("test.numbers", ([{ number }]) => {
        if (numbers.push(number) < count) return;
        void subscription.unsubscribe();
        resolve();
      });
    });
    expect(await session.call("test.publish", [count])).toBe("published");
    const resultAt = numbers.length;
    await enough;
    return { numbers, resultAt };
  }

  test("publications, in order", async () => {
    expect((await publish(100)).numbers).toEqual([...Array(100).keys()]);
  });

  // npm 2.5.0 reads messages beside one another, so that its promise may be late.
  test.runIf(make === ours)("the result of a call before what it publishes (ORD-2)", async () => {
    expect((await publish(3)).resultAt).toBe(0);
  });

  test.runIf(make === ours)("defect 23: a close rejects a call that runs", async () => {
    const other = await connect();
    const sleeping = other.getSession().call("test.sleep", [30]);
    other.destroy(-1);
    expect(await failure(sleeping)).toMatchObject({ code: -32099 });
  });

  test.runIf(name === "ours")("is sent arrays as their bytes", async () => {
    expect(await session.call("test.grid", ["<u2", [2, 3]])).toEqual(new Uint8Array(Uint16Array.of(0, 1, 2, 3, 4, 5).buffer));
  });
});
