import { tagOf } from "../options.js";
import { ALIGN_ABOVE, ARRAY_TYPE, STREAM_TYPE, StreamKey, TIMESTAMP_TYPE, paddingAt } from "./extensions.js";
import { HEADER_LENGTH, MAX_DEPTH } from "./limits.js";
import { HALF, Misfit, className, inside, isKey } from "./misfit.js";
import { NDArray, bytesOf, dtypeOf } from "./ndarray.js";

/** An encoded message. Its bytes are its parts, one after another; a Blob is read when it is sent. */
export interface Encoded {
  /** The first part begins with {@link HEADER_LENGTH} spare bytes. */
  readonly parts: readonly [Uint8Array, ...(Uint8Array | Blob)[]];
  /** The size of the message in bytes, without the spare ones. */
  readonly size: number;
}

const INITIAL_SIZE = 2048;

/** The most bytes that an encoder keeps from one message to the next. */
const SCRATCH_SIZE = 65_536;

/** Bytes of so many are a part of their own: they are copied once, whatever surrounds them. */
const LARGE = 2 ** 20;

/** The bytes before the payload of an extension whose size is counted in four bytes. */
const EXT32_LENGTH = 6;

/** So many ASCII characters are copied one by one, which is faster than to call a TextEncoder. */
const SHORT_TEXT = 48;

/** What a Python `datetime` can hold, in milliseconds since 1970: the years 1 to 9999. */
const FIRST_DATE = -62_135_596_800_000;
const LAST_DATE = 253_402_300_799_999;

const ZERO = BigInt(0); // a literal is beyond what some bundlers read
const SECONDS = BigInt(2 ** 34);

const utf8 = new TextEncoder();

/**
 * Writes messages as MessagePack (G2-3). Beyond the plain values it takes what structured data in JavaScript is made of:
 *
 * - `undefined` is left out of objects and becomes `null` elsewhere, as in JSON;
 * - numbers without a fraction travel as integers where 64 bits hold them, as BigInts do;
 * - `ArrayBuffer`, `DataView`, `Uint8Array`, `Uint8ClampedArray` and `Blob` travel as bytes;
 * - {@link NDArray} and the other typed arrays travel as arrays where {@link Encoder.arrays} allows, as bytes otherwise (ARR-1);
 * - `Date` travels as a timestamp, `Map` as a map whose keys may be numbers, booleans and `null`, `Set` as a list;
 * - objects of other classes travel as what their `toJSON` returns, or as their own properties.
 *
 * What is left, such as functions, promises, errors, iterators and text with half a surrogate pair, is refused by an error that names its place.
 */
export class Encoder {
  /** Whether the server takes arrays with their type and shape: `arrays` is accepted (ARR-1). */
  arrays = false;
  /**
   * Whether values are sent as released clients send them: `undefined` becomes `null` in objects too, integers beyond 2^53 are floats,
   * objects of whatever class, such as a page's events, travel as their own properties, and half a surrogate pair as U+FFFD.
   */
  asReleased = false;

  #bytes: Uint8Array = new Uint8Array(INITIAL_SIZE);
  #view: DataView = new DataView(this.#bytes.buffer);
  #position = 0;
  #parts: (Uint8Array | Blob)[] = [];
  /** Where the scratch buffer begins in the message, in bytes. */
  #base = 0;
  #busy = false;

  /**
   * Encodes one message. What it finds in `value` is copied, Blobs excepted: later changes have no effect.
   *
   * @throws UsageError for what cannot be sent; it names the place, as in "args[0].size: a function cannot be sent".
   */
  encode(value: unknown): Encoded {
    // A getter or a toJSON may send a message of its own.
    if (this.#busy) return Object.assign(new Encoder(), { arrays: this.arrays, asReleased: this.asReleased }).encode(value);
    this.#busy = true;
    this.#position = HEADER_LENGTH;
    this.#base = -HEADER_LENGTH;
    this.#parts = [];
    try {
      this.#value(value, 0);
      const size = this.#base + this.#position;
      if (this.#position > 0) this.#parts.push(this.#take());
      return { parts: this.#parts as unknown as Encoded["parts"], size };
    } catch (error) {
      throw error instanceof Misfit ? error.asUsageError() : error;
    } finally {
      this.#busy = false;
      this.#parts = [];
      if (this.#bytes.length > SCRATCH_SIZE) this.#use(new Uint8Array(INITIAL_SIZE));
    }
  }

  /** What was written: the buffer itself where that is not kept, a copy otherwise. */
  #take(): Uint8Array {
    const written = this.#bytes.subarray(0, this.#position);
    return this.#bytes.length > SCRATCH_SIZE ? written : written.slice();
  }

  /** Ends the part that is being written, and puts another one, of `size` bytes, behind it. */
  #part(part: Uint8Array | Blob, size: number): void {
    if (this.#position > 0) this.#parts.push(this.#bytes.slice(0, this.#position));
    this.#parts.push(part);
    this.#base += this.#position + size;
    this.#position = 0;
  }

  #use(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }

  /** Makes room for `size` more bytes. Before any write, and before `#view` or `#bytes` is read for one: it may replace both. */
  #room(size: number): void {
    const end = this.#position + size;
    if (end <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#position));
    this.#use(grown);
  }

  /** Moves on by `size` bytes, for which there is room; returns where they begin. */
  #skip(size: number): number {
    const position = this.#position;
    this.#position += size;
    return position;
  }

  #value(value: unknown, depth: number): void {
    switch (typeof value) {
      case "string":
        return this.#text(value);
      case "number":
        return Number.isSafeInteger(value) ? this.#integer(value) : this.#notSafe(value);
      case "boolean":
        return this.#byte(value ? 0xc3 : 0xc2);
      case "undefined":
        return this.#byte(0xc0);
      case "bigint":
        return this.#bigint(value);
      case "object":
        return value === null ? this.#byte(0xc0) : this.#object(value, depth);
      default:
        throw new Misfit(`a ${typeof value} cannot be sent`);
    }
  }

  /** A fraction, or a number beyond 2^53, which has none: an integer where 64 bits hold it, as Python distinguishes the two. */
  #notSafe(value: number): void {
    if (this.asReleased || !Number.isInteger(value) || value < -(2 ** 63) || value >= 2 ** 64) this.#float(value);
    else this.#bigint(BigInt(value));
  }

  /** One byte, and room for the 8 that most often follow it. */
  #byte(byte: number): void {
    this.#room(9);
    this.#bytes[this.#position++] = byte;
  }

  #float(value: number): void {
    this.#byte(0xcb);
    this.#view.setFloat64(this.#skip(8), value);
  }

  #integer(value: number): void {
    if (value >= -0x20 && value < 0x80) this.#byte(value & 0xff);
    else if (value >= 0) this.#sized(value, 0xcc, 0xcd, 0xce, 0xcf);
    else if (value >= -0x80) this.#signed(0xd0, 1, value);
    else if (value >= -0x8000) this.#signed(0xd1, 2, value);
    else if (value >= -0x8000_0000) this.#signed(0xd2, 4, value);
    else this.#signed(0xd3, 8, value);
  }

  #signed(code: number, size: 1 | 2 | 4 | 8, value: number): void {
    this.#byte(code);
    const at = this.#skip(size);
    if (size === 1) this.#view.setInt8(at, value);
    else if (size === 2) this.#view.setInt16(at, value);
    else if (size === 4) this.#view.setInt32(at, value);
    else this.#view.setBigInt64(at, BigInt(value));
  }

  #bigint(value: bigint): void {
    if (BigInt.asIntN(54, value) === value) return this.#integer(Number(value));
    const signed = value < ZERO;
    if ((signed ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value)) !== value) {
      throw new Misfit(`${value} does not fit 64 bits`);
    }
    this.#byte(signed ? 0xd3 : 0xcf);
    this.#view.setBigUint64(this.#skip(8), BigInt.asUintN(64, value));
  }

  /** An unsigned number behind the code for its width; codes of the value 0 are not used. */
  #sized(value: number, code8: number, code16: number, code32: number, code64 = 0): void {
    if (code8 && value < 0x100) {
      this.#byte(code8);
      this.#byte(value);
    } else if (value < 0x1_0000) {
      this.#byte(code16);
      this.#view.setUint16(this.#skip(2), value);
    } else if (value < 0x1_0000_0000) {
      this.#byte(code32);
      this.#view.setUint32(this.#skip(4), value);
    } else if (code64) {
      this.#byte(code64);
      this.#view.setBigUint64(this.#skip(8), BigInt(value));
    } else {
      throw new Misfit(`${value} bytes or entries are more than MessagePack can count`);
    }
  }

  #text(text: string): void {
    if (text.length <= SHORT_TEXT && this.#ascii(text)) return;
    const bytes = utf8.encode(text);
    if (!this.asReleased && bytes.length > text.length && HALF.test(text)) throw new Misfit("text with half a surrogate pair cannot be sent");
    this.#textHeader(bytes.length);
    this.#raw(bytes);
  }

  /** Writes a short text unless it holds more than ASCII. */
  #ascii(text: string): boolean {
    const start = this.#position;
    this.#textHeader(text.length);
    this.#room(text.length);
    const at = this.#skip(text.length);
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) {
        this.#position = start;
        return false;
      }
      this.#bytes[at + index] = code;
    }
    return true;
  }

  #textHeader(length: number): void {
    if (length < 32) this.#byte(0xa0 | length);
    else this.#sized(length, 0xd9, 0xda, 0xdb);
  }

  #object(value: object, depth: number): void {
    if (depth >= MAX_DEPTH) throw new Misfit(`values nest deeper than ${MAX_DEPTH} levels, or contain themselves`);
    if (Array.isArray(value)) return this.#list(value, depth);
    if (Object.getPrototypeOf(value) === Object.prototype) return this.#record(value as Record<string, unknown>, depth);
    if (ArrayBuffer.isView(value)) return this.#typedArray(value);
    if (value instanceof StreamKey) this.#extension(STREAM_TYPE, 1);
    if (value instanceof StreamKey) return this.#byte(value.key);
    const tag = tagOf(value);
    switch (tag) {
      case "NDArray":
        return this.#array(value as NDArray);
      case "ArrayBuffer":
      case "SharedArrayBuffer":
        return this.#bin(new Uint8Array(value as ArrayBuffer));
      case "Blob":
      case "File":
        return this.#blob(value as Blob);
      case "Date":
        return this.#date(value as Date);
      case "Map":
        return this.#map(value as Map<unknown, unknown>, depth);
      case "Promise":
        throw new Misfit("a promise cannot be sent: await it first");
      default:
        return this.asReleased ? this.#record(value as Record<string, unknown>, depth) : this.#instance(value, tag, depth);
    }
  }

  /** An object of a class that MessagePack does not know. */
  #instance(value: object, tag: string, depth: number): void {
    const { toJSON } = value as { readonly toJSON?: unknown };
    if (tag === "Set") return this.#list([...(value as Set<unknown>)], depth);
    if (/^(Number|String|Boolean|BigInt)$/.test(tag)) return this.#value(value.valueOf(), depth);
    if (typeof toJSON === "function") return this.#value((value as { toJSON(): unknown }).toJSON(), depth + 1);
    if (tag !== "Object" || Symbol.iterator in value || Symbol.asyncIterator in value) {
      throw new Misfit(`a ${tag === "Object" ? className(value) : tag} cannot be sent: make a list, a plain object or text of it`);
    }
    this.#record(value as Record<string, unknown>, depth);
  }

  #list(list: readonly unknown[], depth: number): void {
    if (list.length < 16) this.#byte(0x90 | list.length);
    else this.#sized(list.length, 0, 0xdc, 0xdd);
    let index = 0;
    try {
      for (const { length } = list; index < length; index++) this.#value(list[index], depth + 1); // an item may change the list
    } catch (error) {
      throw inside(`[${index}]`, error);
    }
  }

  #map(map: ReadonlyMap<unknown, unknown>, depth: number): void {
    this.#mapHeader(map.size);
    for (const [key, value] of [...map]) {
      try {
        if (!isKey(key)) throw new Misfit("a key of a Map is neither text, a number, a boolean nor null");
        // A server that takes no arrays is a released one, which takes nothing but text as keys.
        this.#value(this.arrays ? key : String(key), depth + 1);
        this.#value(value, depth + 1);
      } catch (error) {
        throw inside(`.get(${isKey(key) ? String(key) : "..."})`, error);
      }
    }
  }

  #record(record: Readonly<Record<string, unknown>>, depth: number): void {
    const keys = Object.keys(record).filter((key) => this.asReleased || record[key] !== undefined);
    this.#mapHeader(keys.length);
    let current = "";
    try {
      for (const key of keys) {
        current = key;
        this.#text(key);
        this.#value(record[key], depth + 1);
      }
    } catch (error) {
      throw inside(`.${current}`, error);
    }
  }

  #mapHeader(size: number): void {
    if (size < 16) this.#byte(0x80 | size);
    else this.#sized(size, 0, 0xde, 0xdf);
  }

  #raw(bytes: Uint8Array): void {
    if (bytes.length >= LARGE) return this.#part(bytes.slice(), bytes.length);
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#skip(bytes.length));
  }

  #bin(bytes: Uint8Array): void {
    this.#sized(bytes.length, 0xc4, 0xc5, 0xc6);
    this.#raw(bytes);
  }

  #blob(blob: Blob): void {
    // The size of a Blob is known at once, and its bytes later: they get a place here, so that arguments are encoded when they are given.
    this.#sized(blob.size, 0xc4, 0xc5, 0xc6);
    this.#part(blob, blob.size);
  }

  #typedArray(view: ArrayBufferView): void {
    const dtype = this.arrays ? dtypeOf(view) : undefined;
    if (dtype && dtype !== "|u1") this.#array(new NDArray(view as NDArray["data"], undefined, dtype));
    else this.#bin(bytesOf(view));
  }

  #array(array: NDArray): void {
    const elements = bytesOf(array.data);
    if (!this.arrays) return this.#bin(elements);
    const head = arrayHead(array);
    // Arrays that are aligned count their bytes in four, as the count's own length must not depend on the padding.
    const wide = elements.length >= ALIGN_ABOVE;
    const padding = wide ? paddingAt(this.#base + this.#position + EXT32_LENGTH + head.length) : 0;
    this.#extension(ARRAY_TYPE, head.length + padding + elements.length, wide);
    this.#raw(head);
    this.#raw(new Uint8Array(padding));
    this.#raw(elements);
  }

  #extension(type: number, size: number, wide = false): void {
    const fixed = [1, 2, 4, 8, 16].indexOf(size);
    if (fixed >= 0) this.#byte(0xd4 + fixed);
    else if (wide) this.#signed(0xc9, 4, size | 0);
    else this.#sized(size, 0xc7, 0xc8, 0xc9);
    this.#byte(type & 0xff);
  }

  #date(date: Date): void {
    const milliseconds = date.getTime();
    if (Number.isNaN(milliseconds)) throw new Misfit("an invalid Date cannot be sent");
    if (!this.asReleased && (milliseconds < FIRST_DATE || milliseconds > LAST_DATE)) {
      throw new Misfit("a Date outside the years 1 to 9999 cannot be sent");
    }
    const seconds = Math.floor(milliseconds / 1000);
    const nanoseconds = (milliseconds - seconds * 1000) * 1_000_000;
    const short = nanoseconds === 0 && seconds >= 0 && seconds < 2 ** 32;
    const medium = seconds >= 0 && seconds < 2 ** 34;
    this.#extension(TIMESTAMP_TYPE, short ? 4 : medium ? 8 : 12);
    this.#room(12);
    if (short) this.#view.setUint32(this.#skip(4), seconds);
    else if (medium) this.#view.setBigUint64(this.#skip(8), BigInt(nanoseconds) * SECONDS + BigInt(seconds));
    else {
      this.#view.setUint32(this.#skip(4), nanoseconds);
      this.#view.setBigInt64(this.#skip(8), BigInt(seconds));
    }
  }
}

let heads: Encoder | undefined;

/** The count *H* and the type and shape, which come before an array's elements (ARR-2). */
function arrayHead({ dtype, shape }: NDArray): Uint8Array {
  heads ??= new Encoder();
  const [bytes] = heads.encode([dtype, ...shape]).parts;
  // The last spare byte in front of what was encoded is the place for H.
  bytes[HEADER_LENGTH - 1] = bytes.length - HEADER_LENGTH;
  return bytes.subarray(HEADER_LENGTH - 1);
}
