// Bytes of any kind are decoded or refused by a ProtocolError, quickly, and nothing else happens.
// WSLINK_FUZZ_SECONDS (10): how long, over all targets. WSLINK_FUZZ_SEED: repeats a run that failed.
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ProtocolError, UsageError } from "../src/errors.js";
import { readTape } from "../src/replay/tape.js";
import { CongestionController } from "../src/session/congestion.js";
import { Session } from "../src/session/session.js";
import { Assembler } from "../src/wire/assembler.js";
import { Decoder } from "../src/wire/decoder.js";
import { Encoder } from "../src/wire/encoder.js";
import { withDefaults } from "../src/wire/limits.js";
import { readMessage } from "../src/wire/messages.js";
import { encode } from "@msgpack/msgpack";
import { CLIENT_ID, WELCOME_WITH_FEATURES, frame } from "../tests/support/peer.js";
import { anyMessage, frames, large, messages, recordings, sequences } from "./inputs.js";

const SECONDS = Number(process.env.WSLINK_FUZZ_SECONDS ?? 10);
const TARGETS = 6;
/** What an input of less than 1 MiB may take, in milliseconds of this process's CPU time: other processes do not count. */
const SLOW = 200;
/** How much of an input that failed is shown, in characters. */
const SHOWN = 1000;

const timeLimit = (SECONDS / TARGETS) * 1000;
const seed = process.env.WSLINK_FUZZ_SEED;
const options = {
  numRuns: Number.MAX_SAFE_INTEGER,
  interruptAfterTimeLimit: timeLimit,
  markInterruptAsFailure: false,
  ...(seed !== undefined && { seed: Number(seed) }),
};

/** Runs a property until its time is over, and says how often; shows the beginning of an input that fails, and how to repeat it. */
function fuzz<T extends [unknown, ...unknown[]]>(property: fc.IProperty<T>): void {
  const { failed, counterexample, numRuns, seed, errorInstance } = fc.check(property, options);
  if (failed) {
    const input = fc.stringify(counterexample).slice(0, SHOWN);
    throw new Error(`run ${numRuns}, WSLINK_FUZZ_SEED=${seed}: ${input}: ${String(errorInstance)}`, { cause: errorInstance });
  }
  console.info(`${numRuns} inputs, WSLINK_FUZZ_SEED=${seed}`);
}

/** Runs `attempt`; fails where it throws anything but `Allowed`, or is slow three times in a row. */
function check<T>(attempt: () => T, Allowed: new (...args: never[]) => Error): T | undefined {
  let value: T | undefined;
  for (let tries = 1; ; tries++) {
    const start = process.cpuUsage();
    try {
      value = attempt();
    } catch (error) {
      if (!(error instanceof Allowed)) throw error;
    }
    const { user, system } = process.cpuUsage(start);
    const took = (user + system) / 1000;
    if (took < SLOW) return value;
    if (tries === 3) throw new Error(`it took ${Math.round(took)} ms`);
  }
}

function decode(bytes: Uint8Array): void {
  const value = check(() => new Decoder().decode(bytes), ProtocolError);
  check(() => Object.assign(new Encoder(), { arrays: true }).encode(value), UsageError);
}

let reported: unknown[];

beforeEach(() => {
  reported = [];
  vi.spyOn(console, "error").mockImplementation((error) => void reported.push(error));
});

afterEach(() => vi.restoreAllMocks());

test("the corpus", () => {
  for (const bytes of messages) decode(bytes);
  for (const sequence of sequences) for (const bytes of sequence) decode(bytes);
});

test.each(large)("of just below 1 MiB: %s", (_, bytes) => {
  expect(bytes.length).toBeGreaterThan(2 ** 19);
  decode(bytes);
});

test("values", { timeout: 2 * timeLimit + 60_000 }, () => {
  fuzz(fc.property(anyMessage, decode));
});

test("messages", { timeout: 2 * timeLimit + 60_000 }, () => {
  const decoder = new Decoder();
  fuzz(
    fc.property(anyMessage, (bytes) => {
      expect(check(() => readMessage(decoder, bytes), ProtocolError)?.kind).toMatch(/^(response|error|publication|call|extension|unreadable)$/);
    }),
  );
});

test("chunks", { timeout: 2 * timeLimit + 60_000 }, () => {
  fuzz(
    fc.property(frames, fc.constantFrom(64, 1000, 2 ** 30), fc.constantFrom(1, 2, 64), (sequence, maxMessage, maxPartial) => {
      const assembler = new Assembler(withDefaults({ maxMessage, maxPartial }));
      for (const bytes of sequence) {
        const message = check(() => assembler.add(bytes), ProtocolError);
        expect(message?.length ?? 0).toBeLessThanOrEqual(maxMessage);
        assembler.takeRefused();
      }
    }),
  );
});

test("recordings", { timeout: 2 * timeLimit + 60_000 }, () => {
  let played = 0;
  fuzz(
    fc.property(recordings, (file) => {
      const tape = check(() => readTape(file), UsageError);
      played += Number((tape?.shown.length ?? 0) > 0);
    }),
  );
  expect(played).toBeGreaterThan(0);
});

/** What a line is told: how much is sent or acknowledged, after how many seconds, and how long that was delayed. */
const told = fc.array(
  fc.record({
    kind: fc.constantFrom("sent", "acknowledged", "more", "idle"),
    size: fc.oneof(fc.nat(200), fc.nat(2 ** 22), fc.constantFrom(Number.MAX_SAFE_INTEGER)),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    after: fc.constantFrom(0, 1e-6, 0.001, 0.03, 1, 40, 3600, 1e7),
    held: fc.constantFrom(0, 0.001, 60),
  }),
  { maxLength: 200 },
);

test("acknowledgements", { timeout: 2 * timeLimit + 60_000 }, () => {
  fuzz(
    fc.property(told, (steps) => {
      let now = 100;
      const line = new CongestionController(now);
      for (const { kind, size, share, after, held } of steps) {
        now += after;
        if (kind === "idle") line.idle();
        else if (kind === "sent") line.sent(now, Math.min(size, 2 ** 22) + 1);
        else line.acknowledged(now, kind === "more" ? line.delivered + size : Math.floor(line.sentBytes * share), held);
        expect(line.inFlight).toBeGreaterThanOrEqual(0);
        expect(line.chunkSize).toBeGreaterThanOrEqual(2 ** 14);
        expect(line.chunkSize).toBeLessThan(2 ** 22);
        expect(line.window).toBeGreaterThanOrEqual(2 ** 14);
        expect(line.window).toBeLessThan(Infinity);
        expect(line.delay(now)).toBeGreaterThanOrEqual(0);
      }
      for (let rounds = 0; rounds < 100 && line.delay(now) > 0; rounds++) line.acknowledged((now += 1), line.sentBytes);
      expect(line.inFlight === 0 || line.delay(now) === 0).toBe(true);
    }),
  );
});

test("a session", { timeout: 2 * timeLimit + 60_000 }, async () => {
  const session = new Session(withDefaults({ maxMessage: 2 ** 20 }));
  session.connect({ send: () => undefined });
  const hello = session.hello("s", {});
  session.receive(frame(encode({ id: "system:c0:0", result: WELCOME_WITH_FEATURES })));
  expect((await hello).clientId).toBe(CLIENT_ID);
  session.subscribe("test.topic", () => undefined, {}).ready.catch(() => undefined);
  fuzz(
    fc.property(frames, (sequence) => {
      for (const bytes of sequence) check(() => session.receive(bytes), ProtocolError);
      expect(reported.splice(0).filter((error) => !(error instanceof ProtocolError || (error as Error).name === "CallError"))).toEqual([]);
    }),
  );
  expect(session.state).toBe("open");
});
