// Recordings that are played to clients without a server, of the file that Python plays too (tests/vectors/recording.json).
import { afterEach, describe, expect, test, vi } from "vitest";
import { connect } from "../../src/client/connect.js";
import type { Link } from "../../src/client/link.js";
import type { CallError } from "../../src/errors.js";
import { Pace, covers } from "../../src/replay/player.js";
import { ReplayServer } from "../../src/replay/server.js";
import { ReplaySocket } from "../../src/replay/socket.js";
import { type Tape, readTape } from "../../src/replay/tape.js";
import type { WebSocketConstructor } from "../../src/transports/transport.js";
import { Decoder } from "../../src/wire/decoder.js";
import { encodeWith } from "../support/encoded.js";
import { readVectors, toValue, unhex } from "../support/vectors.js";

interface Vectors {
  readonly file: string;
  readonly topics: Record<string, string>;
  readonly publications: readonly { time: number; topic: string; tags: object | null; payload: unknown }[];
  readonly calls: readonly { method: string; args: unknown[]; kwargs: Record<string, unknown>; response: object }[];
}

const vectors = readVectors<Vectors>("recording");
const file = unhex(vectors.file);

class Closed extends Event {
  readonly code: number;
  readonly reason: string;
  constructor(name: string, { code = 1000, reason = "" }: CloseEventInit) {
    super(name);
    this.code = code;
    this.reason = reason;
  }
}
vi.stubGlobal("CloseEvent", Closed);

const failure = (error: unknown): object => {
  const { code, reason, data } = error as CallError;
  return { error: { code, message: reason, data } };
};

const links: Link[] = [];
afterEach(async () => {
  for (const link of links.splice(0)) await link.close();
});

async function linked(pace: Pace, tape: Promise<Tape> = Promise.resolve(readTape(file))): Promise<Link> {
  const Socket = class extends ReplaySocket {
    constructor(url: string) {
      super(url, tape, pace);
    }
  };
  const link = await connect("ws://nowhere.example/ws", { WebSocket: Socket as unknown as WebSocketConstructor, reconnect: false });
  links.push(link);
  return link;
}

describe("reading", () => {
  test("a recording is read as Python wrote it (REC-1 to REC-5)", () => {
    const { topics, shown, answered } = readTape(file);
    expect(Object.fromEntries(topics)).toEqual(vectors.topics);
    const payloads = shown.map(({ message }) => (new Decoder().decode(message) as { result: unknown }).result);
    expect(shown.map(({ time, topic, tags }, index) => ({ time, topic, tags, payload: payloads[index] }))).toEqual(
      vectors.publications.map((one) => ({ ...one, payload: toValue(one.payload) })),
    );
    expect([...answered.keys()]).toEqual(["a.turn"]);
  });

  test("of one that was cut off, what is whole is read", () => {
    expect(readTape(file.subarray(0, file.length - 1)).shown.length).toBe(2);
    expect(readTape(file.subarray(0, file.length / 2)).shown.length).toBeLessThan(2);
  });

  test.each([
    ["", "this is not a recording of wslink"],
    ["504b0304".repeat(9), "this is not a recording of wslink"],
    [vectors.file.replace("0d0a01", "0d0a07"), "version 7; this player reads version 1"],
    [`${vectors.file}01000000c1`, /record at byte \d+ .*c1/],
    [`${vectors.file}0100000005`, /record at byte \d+/],
  ])("%.20s... is refused by a sentence", (text, why) => {
    expect(() => readTape(unhex(text))).toThrow(why);
  });
});

describe("playing to our client", () => {
  test("calls are answered as they were, one after the other, and others by the newest", async () => {
    const link = await linked(new Pace(1, false));
    const outcomes: unknown[] = [];
    for (const { method, args, kwargs } of vectors.calls) {
      const call = link.call(method, args.map(toValue), kwargs);
      outcomes.push(await call.then((result) => ({ result }), failure));
    }
    expect(outcomes).toEqual(vectors.calls.map(({ response }) => response));
    await expect(link.call("a.turn", ["else"])).resolves.toEqual({ n: 1 });
    await expect(link.call("a.lost")).rejects.toThrow("the recording holds no response to a.lost");
    expect(link.server?.name).toBe("wslink replay");
  });

  test("publications come by their filters and in steps; who comes late gets the newest", async () => {
    const pace = new Pace(0, false);
    const link = await linked(pace);
    const got: unknown[] = [];
    const take = (name: string) => (payload: unknown) => got.push([name, payload]);
    await link.subscribe("a.tile", take("first"), { filter: { row: 1 } }).ready;
    await link.subscribe("a.tile", take("unknown"), { filter: { row: 2 } }).ready; // by what its payload says
    await link.subscribe("a.tile", take("neither"), { filter: { row: 3 } }).ready;
    await link.subscribe("a.quiet", take("quiet")).ready;
    expect(got).toEqual([]);
    pace.step(1);
    await vi.waitFor(() => expect(got).toEqual([["first", toValue(vectors.publications[0]?.payload)]]));
    pace.step(5);
    await vi.waitFor(() => expect(got[1]).toEqual(["unknown", toValue(vectors.publications[1]?.payload)]));
    const late = link.subscribe("a.*", take("late"), { filter: { row: { lte: 1 } } });
    await vi.waitFor(() => expect(got[2]).toEqual(["late", toValue(vectors.publications[0]?.payload)]));
    await late.ready;
    await expect(link.subscribe("a.nothing", take("nothing")).ready).rejects.toThrow("knows no topic");
    expect(got.length).toBe(3);
  });

  test("it goes at its pace, and at another from then on", async () => {
    const pace = new Pace(10, false);
    const link = await linked(pace);
    const times: number[] = [];
    const began = performance.now();
    link.subscribe("a.tile", () => times.push(performance.now() - began));
    await vi.waitFor(() => expect(times.length).toBe(2), 5000); // 1.75 s apart
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(120);
    pace.speed = Infinity;
    const other = await linked(pace);
    const [before, all] = [performance.now(), vi.fn()];
    other.subscribe("a.tile", all);
    await vi.waitFor(() => expect(all).toHaveBeenCalledTimes(2));
    expect(performance.now() - before).toBeLessThan(1000);
  });

  test("a recording that cannot be played ends the connection", async () => {
    const said = vi.spyOn(console, "error").mockImplementation(() => undefined);
    await expect(linked(new Pace(1, false), Promise.reject(new Error("404")))).rejects.toThrow("nowhere.example");
    expect(said).toHaveBeenCalledOnce();
    said.mockRestore();
  });
});

test("a released client is sent everything, arrays as bytes (ORD-4, ARR-1)", () => {
  const sent: Record<string, unknown>[] = [];
  const pace = new Pace(0, false);
  const server = new ReplayServer(readTape(file), pace, (frame) => sent.push(new Decoder().decode(frame.subarray(12)) as Record<string, unknown>));
  const bytes = encodeWith({}, { wslink: "1.0", id: "system:c0:0", method: "wslink.hello", args: [{ secret: "s" }], kwargs: {} });
  new DataView(bytes.buffer).setUint32(8, bytes.length - 12, true);
  server.receive(bytes);
  pace.step(9);
  expect(sent[0]).toMatchObject({ id: "system:c0:0", result: { maxMsgSize: 2 ** 22 } });
  expect(sent.slice(1).map(({ id, subscriptions }) => [id, subscriptions])).toEqual([["publish:a.tile:0", undefined], ["publish:a.tile:1", undefined]]);
  expect((sent[1]?.result as { pixels: unknown }).pixels).toEqual(new Uint8Array([0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0]));
  server.stop();
});

describe("streams, and calls of the server (REC-5)", () => {
  const record = (kind: number, time: number, message: object): Uint8Array => {
    const inner = encodeWith({}, message).subarray(12);
    const outer = encodeWith({}, [kind, time, ["c1"], null, inner]).slice(8);
    new DataView(outer.buffer).setUint32(0, outer.length - 4, true);
    return outer;
  };
  const call = (id: string, method: string, args: unknown[], more: object = {}): object => ({ wslink: "1.0", id, method, args, kwargs: {}, ...more });
  const [CALL, RESPONSE, PUBLICATION, ITEM, ASKED, REPLY] = [1, 2, 3, 5, 6, 7];
  const items = Array.from({ length: 6 }, (_, n) => record(ITEM, 1 + n / 20, { wslink: "1.0", id: "a", result: { n } }));
  const recorded = [
    file.subarray(0, 12 + 4 + new DataView(file.buffer, file.byteOffset).getUint32(12, true)),
    record(CALL, 1, call("a", "mesh.refine", [6], { stream: 8 })),
    ...items,
    record(RESPONSE, 1.4, { wslink: "1.0", id: "a", error: { code: 7, message: "too fine" } }),
    record(CALL, 1.5, call("b", "mesh.refine", [9], { stream: 8 })),
    record(ITEM, 1.5, { wslink: "1.0", id: "b", result: "first" }),
    record(CALL, 1.5, call("c", "mesh.plain", [])),
    record(RESPONSE, 1.5, { wslink: "1.0", id: "c", result: 1 }),
    record(ASKED, 1.6, call("s", "page.confirm", ["save?"])),
    record(REPLY, 1.7, { wslink: "1.0", id: "s", result: "yes" }),
    record(PUBLICATION, 1.8, { wslink: "1.0", id: "publish:demo.line:0", result: "before" }),
    record(ASKED, 1.9, call("t", "page.last", [])),
  ];
  const tape = (): Promise<Tape> => Promise.resolve(readTape(Uint8Array.from(recorded.flatMap((one) => [...one]))));

  test.each([1, Infinity, 0])("a stream gives its items and its end, at speed %d", async (speed) => {
    const link = await linked(new Pace(speed, false), tape());
    const seen: unknown[] = [];
    const began = performance.now();
    const read = async (): Promise<void> => {
      for await (const item of link.stream<{ n: number }>("mesh.refine", [6], {}, { window: 2 })) seen.push(item.n);
    };
    await expect(read()).rejects.toMatchObject({ code: 7 });
    expect(seen).toEqual([0, 1, 2, 3, 4, 5]);
    expect(performance.now() - began > 200).toBe(speed === 1);
    const cut: unknown[] = [];
    for await (const item of link.stream("mesh.refine", [9])) cut.push(item);
    expect(cut).toEqual(["first"]);
    await expect(link.call("mesh.refine", [6])).rejects.toThrow("link.stream");
    await expect(link.stream("mesh.plain").next()).rejects.toThrow("link.call");
  });

  test("a stream that is slower than timers can be waits all the same", async () => {
    const link = await linked(new Pace(1e-9, false), tape());
    const items = link.stream("mesh.refine", [6]);
    expect((await items.next()).value).toEqual({ n: 0 });
    const second = items.next().catch(() => undefined);
    expect(await Promise.race([second, new Promise((resolve) => setTimeout(resolve, 60, "nothing"))])).toBe("nothing");
  });

  test.each([10, Infinity])("the page is called as the server did, at speed %d", async (speed) => {
    const link = await linked(new Pace(speed, false), tape());
    const seen: unknown[] = [];
    link.handle("page.confirm", ([question]) => seen.push(question));
    const last = new Promise<void>((resolve) => link.handle("page.last", () => resolve()));
    await link.subscribe("demo.line", (line) => void seen.push(line)).ready;
    await last;
    expect(seen).toEqual(["save?", "before"]);
  });
});

test.each([
  ["a.b", "a.b", true],
  ["a.*", "a.b", true],
  ["a.*", "a.b.c", false],
  ["a.**", "a.b.c", true],
  ["a.**", "a", false],
  ["*.b", "a.b", true],
])("the pattern %s stands for %s: %s (SUB-18)", (pattern, topic, does) => {
  expect(covers(pattern, topic)).toBe(does);
});
