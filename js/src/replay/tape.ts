// A recording (docs/protocol/recordings.md, REC), as a page plays it that has no server.
import { UsageError } from "../errors.js";
import type { Tags } from "../session/filters.js";
import { Decoder, type Decoded } from "../wire/decoder.js";
import { NDArray } from "../wire/ndarray.js";

const MAGIC = [0x89, 0x57, 0x53, 0x52, 0x45, 0x43, 0x0d, 0x0a];
const VERSION = 1;
const [ABOUT, CALL, RESPONSE, PUBLICATION, , ITEM, ASKED] = [0, 1, 2, 3, 4, 5, 6] as const;
/** Entries of a payload that are looked at in place of tags that are not known. */
const MAX_ENTRIES = 64;
const SUBSCRIBE = "wslink.subscribe";

/** A recorded publication. */
export interface Shown {
  /** Seconds since the recording began. */
  readonly time: number;
  readonly topic: string;
  /** Null where they are not known. */
  readonly tags: Tags | null;
  /** What its payload, if that is a map, has of text, numbers and booleans; it stands for tags then. */
  readonly entries: Tags;
  /** As version 2 encodes it, without the header of a chunk. */
  readonly message: Uint8Array;
}

/** A recorded call that was answered. */
export interface Exchange {
  readonly time: number;
  /** Undefined of a stream that had not ended. */
  readonly response: Decoded | undefined;
  /** Those of its stream; undefined where it asked for none. */
  readonly items: readonly Item[] | undefined;
}

export interface Item {
  readonly time: number;
  readonly value: unknown;
}

/** A recorded call that the server made of the page. */
export interface Asked {
  readonly time: number;
  readonly call: Decoded;
}

/** What a recording holds. */
export interface Tape {
  /** The delivery of each topic. */
  readonly topics: ReadonlyMap<string, string>;
  readonly shown: readonly Shown[];
  readonly asked: readonly Asked[];
  /** The calls of each method, in their order. */
  readonly answered: ReadonlyMap<string, readonly Exchange[]>;
  /** The same, by {@link keyOf}. */
  readonly same: ReadonlyMap<string, readonly Exchange[]>;
}

interface Row {
  readonly kind: number;
  readonly time: number;
  readonly client: string;
  readonly about: unknown;
  readonly message: Uint8Array | null;
}

/** Reads a recording; of one that was cut off, what is whole. Throws a UsageError for what is none. */
export function readTape(file: Uint8Array): Tape {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < MAGIC.length + 4 || !MAGIC.every((byte, index) => file[index] === byte)) throw new UsageError("this is not a recording of wslink");
  const version = view.getUint32(MAGIC.length, true);
  if (version !== VERSION) throw new UsageError(`the recording is of version ${version}; this player reads version ${VERSION}`);
  const reading = new Reading();
  let at = MAGIC.length + 4;
  while (at + 4 <= file.length) {
    const end = at + 4 + view.getUint32(at, true);
    if (end > file.length) break;
    try {
      reading.take(rowOf(file.subarray(at + 4, end)));
    } catch (cause) {
      throw new UsageError(`the record at byte ${at} of the recording: ${String(cause)}`, { cause });
    }
    at = end;
  }
  return reading.tape();
}

function rowOf(bytes: Uint8Array): Row {
  const [kind, time, clients, about, message] = new Decoder().decode(bytes) as unknown[];
  if (typeof kind !== "number" || typeof time !== "number" || !Array.isArray(clients)) throw new UsageError("it is not a record");
  return { kind, time, client: String(clients[0]), about, message: message instanceof Uint8Array ? message : null };
}

/** Brings calls and their responses together. */
class Reading {
  readonly #topics = new Map<string, string>();
  readonly #shown: Shown[] = [];
  readonly #asked: Asked[] = [];
  readonly #calls: { time: number; method: string; key: string; response?: Decoded; items: Item[] | undefined }[] = [];
  /** By client and id, where the call stands. */
  readonly #open = new Map<string, number>();

  take({ kind, time, client, about, message }: Row): void {
    if (kind === ABOUT) this.#describe(about);
    if (!message || kind < CALL || kind > ASKED) return;
    const envelope = new Decoder().decode(message) as Decoded;
    if (kind === PUBLICATION) this.#publication(time, envelope, about as Tags | null, message);
    const id = `${client} ${String(envelope.id)}`;
    if (kind === CALL) this.#call(time, id, envelope);
    if (kind === ASKED) this.#asked.push({ time, call: envelope });
    const call = kind === CALL ? undefined : this.#calls[this.#open.get(id) ?? -1];
    if (call && kind === RESPONSE) call.response = envelope;
    if (call && kind === ITEM) call.items?.push({ time, value: envelope.result });
  }

  #describe(about: unknown): void {
    const { topics = {} } = about as { topics?: Record<string, { delivery?: string }> };
    for (const [name, { delivery = "reliable" }] of Object.entries(topics)) this.#topics.set(name, delivery);
  }

  #publication(time: number, { id, result }: Decoded, tags: Tags | null, message: Uint8Array): void {
    const topic = /^publish:(.*):\d+$/.exec(String(id))?.[1];
    if (topic === undefined) throw new UsageError("it is not a publication");
    this.#know(topic);
    this.#shown.push({ time, topic, tags, entries: entriesOf(result), message });
  }

  #call(time: number, id: string, { method, args = [], kwargs = {}, stream }: Decoded): void {
    const [wish] = args as [{ topic?: unknown }?];
    if (method === SUBSCRIBE && typeof wish?.topic === "string" && !wish.topic.includes("*")) this.#know(wish.topic);
    this.#open.set(id, this.#calls.length);
    this.#calls.push({ time, method: String(method), key: keyOf(String(method), args, kwargs), items: stream === undefined ? undefined : [] });
  }

  #know(topic: string): void {
    if (!this.#topics.has(topic)) this.#topics.set(topic, "reliable");
  }

  tape(): Tape {
    const answered = new Map<string, Exchange[]>();
    const same = new Map<string, Exchange[]>();
    for (const { time, method, key, response, items } of this.#calls) {
      if (!response && !items?.length) continue;
      push(answered, method, { time, response, items });
      push(same, key, { time, response, items });
    }
    return { topics: this.#topics, shown: this.#shown, asked: this.#asked, answered, same };
  }
}

/** What a payload says in the words of a filter, as publishers often have it there as in the tags. */
function entriesOf(payload: unknown): Tags {
  if (typeof payload !== "object" || payload === null || ArrayBuffer.isView(payload)) return {};
  const found = Object.entries(payload as Record<string, unknown>).filter(([, value]) => /^(string|number|boolean)$/.test(typeof value));
  return Object.fromEntries(found.slice(0, MAX_ENTRIES)) as Tags;
}

function push<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

/** What tells a call by its method and arguments: the same for equal ones, whatever the order of their maps. */
export function keyOf(method: string, args: unknown, kwargs: unknown): string {
  return `${method} ${textOf(args)} ${textOf(kwargs)}`;
}

function textOf(value: unknown): string {
  if (value instanceof NDArray) return arrayText(value as NDArray);
  if (ArrayBuffer.isView(value)) return `bytes(${bytesOf(value)})`;
  if (Array.isArray(value)) return `[${value.map(textOf).join()}]`;
  if (value instanceof Date) return `date(${value.getTime()})`;
  if (typeof value !== "object" || value === null) return typeof value === "string" ? JSON.stringify(value) : String(value);
  const entries = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return `{${entries.map(([name, inner]) => `${JSON.stringify(name)}:${textOf(inner)}`).join()}}`;
}

const arrayText = ({ dtype, shape, data }: NDArray): string => `array(${dtype} ${shape.join()} ${bytesOf(data)})`;

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): string => Array.from(new Uint8Array(buffer, byteOffset, byteLength)).join();
