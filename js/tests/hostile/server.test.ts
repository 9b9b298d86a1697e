// A server that breaks the protocol loses the message at fault, and nothing else.
import { encode } from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import { ProtocolError } from "../../src/index.js";
import { CLIENT_ID, type Connection, type Envelope, frame, message } from "../support/peer.js";
import { linked, reported, settled } from "../support/linked.js";

const bytes = (...list: number[]): Uint8Array => new Uint8Array(list);

describe("is reported, and nothing else happens", () => {
  test.each<[string, Uint8Array | string]>([
    ["an empty frame", bytes()],
    ["a frame of 11 bytes", new Uint8Array(11)],
    ["a text frame (DET-2)", '{"wslink":"1.0","id":"publish:a.b:0","result":1}'],
    ["a message of no bytes", frame(bytes())],
    ["the code 0xc1", frame(bytes(0xc1))],
    ["a message that ends early", frame(bytes(0x82, 0xa2, 0x69))],
    ["bytes after a message", frame(bytes(0xc0, 0xc0))],
    ["a chunk beyond its total", frame(bytes(1, 2, 3), { total: 2 })],
    ["4 GiB announced", frame(bytes(1), { id: 2, total: 0xffff_ffff })],
    ["a bare number", frame(encode(7))],
    ["a list", frame(encode([1, 2]))],
    ["null", frame(encode(null))],
    ["a message without an id", frame(encode({ wslink: "1.0", result: 1 }))],
    ["a number as id", frame(encode({ id: 7, result: 1 }))],
    ["an id that is none", message({ id: "rpc:a b:1", result: 1 })],
    ["neither result nor error", message({ id: `rpc:${CLIENT_ID}:99` })],
    ["an error that is text", message({ id: `rpc:${CLIENT_ID}:99`, error: "no" })],
    ["an error without a code", message({ id: `rpc:${CLIENT_ID}:99`, error: { message: "no" } })],
    ["subscriptions that are no list", message({ id: "publish:a.b:1", result: 1, subscriptions: "all" })],
    ["an unknown extension", frame(bytes(0xd4, 0x63, 0x00))],
    ["a malformed array", message({ id: "publish:a.b:1", result: 1, subscriptions: [1.5] })],
    ["nesting without end", frame(new Uint8Array(100_000).fill(0x91))],
    ["nested lists that announce 2^32 entries each", frame(new Uint8Array(3000).fill(0xdd))],
  ])("%s", async (_, data) => {
    const { link, peer } = await linked();
    const result = link.call("other");
    const call = await peer.next();
    peer.send(data);
    peer.answer(call, "fine");
    expect(await result).toBe("fine");
    await settled(link, peer);
    expect(reported).toEqual([expect.any(ProtocolError)]);
  });

  test("a failure that says this client's message was malformed (ERR-5)", async () => {
    const { link, peer } = await linked();
    peer.fail({ id: "system:malformed:0" } as Envelope, { code: -32700, message: "a frame has at least 12 bytes" });
    await settled(link, peer);
    expect(reported).toEqual([expect.objectContaining({ code: -32700 })]);
  });
});

describe("is of no interest", () => {
  test.each<[string, Uint8Array]>([
    ["a result that nobody waits for", message({ id: `rpc:${CLIENT_ID}:99`, result: 1 })],
    ["a failure that nobody waits for", message({ id: `rpc:${CLIENT_ID}:99`, error: { code: 1, message: "no" } })],
    ["another client's result", message({ id: "rpc:c1:1", result: 1 })],
    ["a second answer to hello", message({ id: "system:c0:0", result: { clientID: "c1", maxMsgSize: 13 } })],
    ["an unknown system message", message({ id: "system:new.thing:0", result: 1 })],
    ["a publication that nobody subscribed to", message({ id: "publish:a.b:0", result: 1, subscriptions: [] })],
    ["keys that nobody knows", message({ id: `rpc:${CLIENT_ID}:99`, result: 1, colour: "green", __proto__: { x: 1 } })],
  ])("%s", async (_, data) => {
    const { link, peer } = await linked();
    peer.send(data);
    await settled(link, peer);
    expect(link.clientId).toBe(CLIENT_ID);
    expect(reported).toEqual([]);
  });
});

/** Makes a call, lets `answer` answer it wrongly, and shows that another call still works. */
async function misanswered(answer: (peer: Connection, call: Envelope) => void, maxMessage?: number): Promise<unknown> {
  const { link, peer } = await linked(undefined, { maxMessage });
  const result = link.call("broken");
  answer(peer, await peer.next());
  const error: unknown = await result.then(
    (value) => { throw new Error(`it resolved to ${String(value)}`); }, // prettier-ignore
    (reason: unknown) => reason,
  );
  await settled(link, peer);
  expect(reported).toEqual([]);
  return error;
}

describe("rejects the call that it answers", () => {
  test("an answer that cannot be decoded", async () => {
    const error = await misanswered((peer, { id }) => {
      const good = encode({ wslink: "1.0", id, result: "x" });
      good[good.length - 2] = 0xc1;
      peer.send(frame(good));
    });
    expect(error).toBeInstanceOf(ProtocolError);
  });

  test("an answer that is cut short", async () => {
    const error = await misanswered((peer, { id }) => {
      peer.send(frame(encode({ id, result: new Uint8Array(100) }).subarray(0, -10)));
    });
    expect(error).toBeInstanceOf(ProtocolError);
  });

  test("an answer with neither result nor error", async () => {
    expect(await misanswered((peer, { id }) => peer.send(message({ id })))).toBeInstanceOf(ProtocolError);
  });

  test("an answer over maxMessage, known by its first chunk; the rest is skipped", async () => {
    const error = await misanswered((peer, { id }) => {
      const body = encode({ wslink: "1.0", id, result: new Uint8Array(2000) });
      peer.send(frame(body.subarray(0, 500), { total: body.length }));
      peer.send(frame(body.subarray(500), { offset: 500, total: body.length }));
    }, 1000);
    expect(error).toMatchObject({ name: "ProtocolError", code: -32003 });
  });

  test("chunks that overlap, known by the first one", async () => {
    const error = await misanswered((peer, { id }) => {
      const body = encode({ wslink: "1.0", id, result: new Uint8Array(2000) });
      peer.send(frame(body.subarray(400), { offset: 400, total: body.length }));
      peer.send(frame(body.subarray(0, 500), { total: body.length }));
    });
    expect(error).toMatchObject({ name: "ProtocolError", code: -32700 });
  });
});

describe("an answer that is given up in the middle rejects its call", () => {
  const parts = ({ id }: Envelope): { body: Uint8Array; total: number } => {
    const body = encode({ wslink: "1.0", id, result: new Uint8Array(3000) });
    return { body, total: body.length };
  };

  test.each<[string, (peer: Connection, call: Envelope) => void, number?]>([
    [
      "overlap after a good beginning",
      (peer, call) => {
        const { body, total } = parts(call);
        peer.send(frame(body.subarray(0, 500), { total }));
        peer.send(frame(body.subarray(400, 900), { offset: 400, total }));
      },
    ],
    [
      "an empty chunk after a good beginning",
      (peer, call) => {
        const { body, total } = parts(call);
        peer.send(frame(body.subarray(0, 500), { total }));
        peer.send(frame(bytes(), { offset: 500, total }));
      },
    ],
    [
      "another total after a good beginning",
      (peer, call) => {
        const { body, total } = parts(call);
        peer.send(frame(body.subarray(0, 500), { total }));
        peer.send(frame(body.subarray(500, 900), { offset: 500, total: total + 1 }));
      },
    ],
    [
      "a beginning in chunks of one byte",
      (peer, call) => {
        const { body, total } = parts(call);
        for (let offset = 0; offset < 100; offset++) peer.send(frame(body.subarray(offset, offset + 1), { offset, total }));
        peer.send(frame(bytes(), { offset: 100, total }));
      },
    ],
    [
      "over maxMessage, where the beginning comes last",
      (peer, call) => {
        const { body, total } = parts(call);
        peer.send(frame(body.subarray(2000), { offset: 2000, total }));
        peer.send(frame(body.subarray(500, 2000), { offset: 500, total }));
        peer.send(frame(body.subarray(0, 500), { total }));
      },
      1000,
    ],
  ])("%s", async (_, answer, maxMessage) => {
    const { link, peer } = await linked(undefined, { maxMessage });
    const result = link.call("broken");
    answer(peer, await peer.next());
    await expect(result).rejects.toBeInstanceOf(ProtocolError);
    await settled(link, peer);
  });
});

describe("an answer with a map whose keys", () => {
  const packed = (...list: (number | Uint8Array)[]): Uint8Array => new Uint8Array(Buffer.concat(list.map((part) => (typeof part === "number" ? bytes(part) : part))));

  async function answered(...map: (number | Uint8Array)[]): Promise<unknown> {
    const { link, peer } = await linked();
    const result = link.call("a.b");
    const { id } = await peer.next();
    peer.send(frame(packed(0x82, encode("id"), encode(id), encode("result"), ...map)));
    return result;
  }

  test.each<[string, number[] | Uint8Array, string]>([
    ["true", [0xc3], "true"],
    ["false", [0xc2], "false"],
    ["null", [0xc0], "null"],
    ["a float", encode(1.5), "1.5"],
    ["an integer beyond 2^53", [0xcf, 0x20, 0, 0, 0, 0, 0, 0, 0], "2305843009213693952"],
  ])("are %s becomes an object with text", async (_, key, text) => {
    expect(await answered(0x81, bytes(...key), 7)).toEqual({ [text]: 7 });
  });

  test.each<[string, Uint8Array, RegExp]>([
    ["bytes", encode(bytes(1, 2)), /a key of a map is bytes/],
    ["a tuple", encode([1, 2]), /a key of a map is a list or a map/],
    ["a long tuple", encode(Array(20).fill(1)), /a key of a map is a list or a map/],
    ["a map", encode({ a: 1 }), /a key of a map is a list or a map/],
    ["a date", encode(new Date(0)), /a key of a map is an array or a timestamp/],
  ])("are %s rejects the call and says so", async (_, key, message) => {
    await expect(answered(0x81, key, 7)).rejects.toThrow(message);
  });

  test.each<[string, number[]]>([
    ["a date beyond those of JavaScript", [0xc7, 12, 0xff, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ["a date with more nanoseconds than a second has", [0xd7, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1]],
  ])("hold %s rejects the call", async (_, date) => {
    await expect(answered(0x81, encode("at"), bytes(...date))).rejects.toBeInstanceOf(ProtocolError);
  });
});

describe("costs this side no more than what it sent", () => {
  test("a million chunks of one byte, in order and out of order", async () => {
    const { Assembler } = await import("../../src/wire/assembler.js");
    const assembler = new Assembler({ maxMessage: 2 ** 30, maxPartial: 64 });
    const before = process.memoryUsage();
    const total = 2 ** 22;
    const started = performance.now();
    const chunks = 300_000;
    for (let offset = 0; offset < chunks; offset++) assembler.add(frame(bytes(1), { id: 1, offset, total }));
    let refused = 0;
    for (let offset = 0; offset < 2 * chunks; offset += 2) {
      try {
        assembler.add(frame(bytes(1), { id: 2, offset, total }));
      } catch {
        refused++;
      }
    }
    expect(refused).toBe(1); // the rest is skipped
    expect(performance.now() - started).toBeLessThan(5000);
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    expect(heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(64 * 2 ** 20);
  });
});

test("a __proto__ in a message is a key like any other", async () => {
  const { link, peer } = await linked();
  const result = link.call<Record<string, unknown>>("a.b");
  const { id } = await peer.next();
  const key = [0xa9, ...Buffer.from("__proto__")];
  peer.send(frame(Buffer.concat([bytes(0x82, 0xa2, 0x69, 0x64), encode(id), encode("result"), bytes(0x81, ...key, 0x81, 0xa1, 0x78, 0x01)])));
  const map = await result;
  expect(Object.getPrototypeOf(map)).toBe(Object.prototype);
  expect(Object.keys(map)).toEqual(["__proto__"]);
  expect(({} as Record<string, unknown>).x).toBeUndefined();
});
