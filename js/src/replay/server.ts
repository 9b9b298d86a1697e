// The server's end of a connection, as far as a recording can be one: hello, subscriptions, recorded responses.
import { ErrorCode } from "../errors.js";
import type { Filter } from "../session/features/subscribe.js";
import { VERSION } from "../version.js";
import { Assembler } from "../wire/assembler.js";
import { withHeader } from "../wire/chunks.js";
import { type Decoded, Decoder } from "../wire/decoder.js";
import { Encoder } from "../wire/encoder.js";
import { HEADER_LENGTH, withDefaults } from "../wire/limits.js";
import { LONGEST, type Pace, Player } from "./player.js";
import { type Asked, type Exchange, type Item, type Shown, type Tape, keyOf } from "./tape.js";

const FEATURES = ["subscribe", "arrays", "stream", "handle"];
/** Types of messages (EXT-4). */
const [ITEM, CREDIT] = [3, 5] as const;
/** MessagePack: a map of so few entries that its size is in its first byte, which has room for one more. */
const FIXMAP = 0x80;
const FIXMAP_END = 0x8f;

export class ReplayServer {
  readonly #tape: Tape;
  readonly #pace: Pace;
  readonly #player: Player;
  readonly #send: (frame: Uint8Array<ArrayBuffer>) => void;
  readonly #assembler = new Assembler(withDefaults({}));
  readonly #decoder = new Decoder();
  readonly #encoder = new Encoder();
  /** How often each call was made. */
  readonly #calls = new Map<string, number>();
  /** Of streams under way: the items that may be sent, and what waits for more. */
  readonly #streams = new Map<string, { credit: number; granted?: () => void }>();
  #subscribes = false;
  #handles = false;
  #asked = 0;
  #number = 0;

  constructor(tape: Tape, pace: Pace, send: (frame: Uint8Array<ArrayBuffer>) => void) {
    this.#tape = tape;
    this.#pace = pace;
    this.#send = send;
    this.#player = new Player(tape, pace, (shown, ids) => this.#publish(shown, ids), (asked) => this.#ask(asked));
  }

  get position(): number {
    return this.#player.position;
  }

  /** Takes a frame of the page's. */
  receive(frame: Uint8Array): void {
    const bytes = this.#assembler.add(frame);
    if (!bytes) return;
    const message = this.#decoder.decode(bytes);
    if (Array.isArray(message)) {
      const [type, id, credit] = message as unknown[];
      const stream = type === CREDIT ? this.#streams.get(String(id)) : undefined;
      if (!stream) return; // of an extension that was not accepted, or of a stream that is over
      stream.credit = Math.max(stream.credit, Number(credit));
      stream.granted?.();
      return;
    }
    const { id, method, args = [], kwargs = {}, stream } = message as Decoded;
    if (method === undefined) return; // the page responds
    this.#take(String(id), method as string, args as unknown[], kwargs as Decoded, stream as number | undefined);
  }

  stop(): void {
    this.#player.stop();
    this.#streams.clear();
  }

  #take(id: string, method: string, args: unknown[], kwargs: Decoded, stream: number | undefined): void {
    const [first = {}] = args as [Decoded?];
    if (method === "wslink.hello") this.#hello(id, first);
    else if (method === "wslink.subscribe") this.#subscribe(id, first);
    else if (method === "wslink.unsubscribe") {
      this.#player.unsubscribe(Number(first.subscription));
      this.#post({ id, result: null });
    } else this.#respond(id, method, args, kwargs, stream);
  }

  #hello(id: string, { features }: Decoded): void {
    const clientID = `c${crypto.getRandomValues(new Uint8Array(16)).reduce((text, byte) => text + byte.toString(16).padStart(2, "0"), "")}`;
    const welcome = { clientID, maxMsgSize: 2 ** 22 };
    if (!Array.isArray(features)) {
      this.#post({ id, result: welcome });
      this.#player.begin(); // a released client is sent everything (ORD-4)
      return;
    }
    const accepted = FEATURES.filter((one) => features.includes(one));
    this.#subscribes = accepted.includes("subscribe");
    this.#handles = accepted.includes("handle");
    this.#post({ id, result: { ...welcome, features: accepted, server: { name: "wslink replay", version: VERSION } } });
    this.#encoder.arrays = accepted.includes("arrays");
    if (!this.#subscribes) this.#player.begin();
  }

  #subscribe(id: string, { subscription, topic, filter }: Decoded): void {
    const name = String(topic);
    const delivery = name.includes("*") ? "mixed" : this.#tape.topics.get(name);
    if (delivery === undefined) {
      this.#fail(id, ErrorCode.invalidParams, `the recording knows no topic ${JSON.stringify(name)}`);
      return;
    }
    this.#post({ id, result: { delivery } });
    this.#player.subscribe({ id: Number(subscription), topic: name, filter: (filter as Filter | undefined) ?? null });
  }

  /** Responds as it was recorded: to several of the same calls one after the other; to others with the method's newest response. */
  #respond(id: string, method: string, args: unknown[], kwargs: Decoded, stream: number | undefined): void {
    const key = keyOf(method, args, kwargs);
    const same = this.#tape.same.get(key);
    const count = this.#calls.get(key) ?? 0;
    this.#calls.set(key, count + 1);
    const found = same?.[Math.min(count, same.length - 1)] ?? this.#newest(method);
    if (found && (found.items === undefined) !== (stream === undefined)) {
      this.#fail(id, ErrorCode.invalidParams, `method ${method} ${found.items ? "streams its results: use link.stream" : "does not stream: use link.call"}`);
    } else if (found?.items) void this.#stream(id, found.items, found, stream ?? 0);
    else if (found) this.#post({ ...found.response, id });
    else this.#fail(id, ErrorCode.methodNotFound, `the recording holds no response to ${method}`);
  }

  /** Sends items at their pace, as far as the page lets them come, and then the response. */
  async #stream(id: string, items: readonly Item[], { time, response }: Exchange, credit: number): Promise<void> {
    const stream: { credit: number; granted?: () => void } = { credit };
    this.#streams.set(id, stream);
    let before = time;
    for (const [n, item] of items.entries()) {
      const { speed } = this.#pace;
      if (speed > 0 && speed < Infinity) await new Promise((resolve) => setTimeout(resolve, Math.min(((item.time - before) / speed) * 1000, LONGEST)));
      before = item.time;
      while (stream.credit <= n) await new Promise<void>((resolve) => (stream.granted = resolve));
      if (this.#streams.get(id) !== stream) return; // the connection has ended
      this.#encode([ITEM, id, n, item.value]);
    }
    this.#streams.delete(id);
    this.#post({ ...(response ?? { result: null }), id });
  }

  /** Calls the page as the server did. What it responds is its own. */
  #ask({ call: { method, args, kwargs } }: Asked): void {
    if (this.#handles) this.#post({ id: `rpc:server:${this.#asked++}`, method, args, kwargs });
  }

  #newest(method: string): Exchange | undefined {
    const all = this.#tape.answered.get(method);
    const { time } = this.#player;
    return all?.filter((one) => one.time <= time).at(-1) ?? all?.[0];
  }

  #fail(id: string, code: number, message: string): void {
    this.#post({ id, error: { code, message } });
  }

  #publish({ message }: Shown, ids: number[]): void {
    if (this.#subscribes && ids.length === 0) return;
    const [first = 0] = message;
    if (!(this.#subscribes && this.#encoder.arrays && first >= FIXMAP && first < FIXMAP_END)) {
      const { id, result } = new Decoder().decode(message) as Decoded;
      this.#post(this.#subscribes ? { id, result, subscriptions: ids } : { id, result });
      return;
    }
    const tail = entry("subscriptions", ids);
    const frame = new Uint8Array(HEADER_LENGTH + message.length + tail.length);
    frame.set(message, HEADER_LENGTH);
    frame[HEADER_LENGTH] = first + 1;
    frame.set(tail, HEADER_LENGTH + message.length);
    this.#frame(frame);
  }

  #post(message: Decoded): void {
    this.#encode({ wslink: "1.0", ...message });
  }

  #encode(message: unknown): void {
    const { parts, size } = this.#encoder.encode(message);
    const frame = new Uint8Array(HEADER_LENGTH + size);
    let at = 0;
    for (const part of parts) {
      frame.set(part as Uint8Array, at); // no Blob came out of a recording
      at += (part as Uint8Array).length;
    }
    this.#frame(frame);
  }

  #frame(frame: Uint8Array<ArrayBuffer>): void {
    this.#number = (this.#number + 1) >>> 0;
    withHeader(frame, this.#number, 0, frame.length - HEADER_LENGTH);
    this.#send(frame);
  }
}

/** A key and a value, as they stand in a map. */
function entry(key: string, value: unknown): Uint8Array {
  const [bytes] = new Encoder().encode({ [key]: value }).parts;
  return bytes.subarray(HEADER_LENGTH + 1);
}
