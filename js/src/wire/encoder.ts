import { UsageError } from "../errors.js";
import { ALIGN_ABOVE, ARRAY_TYPE, TIMESTAMP_TYPE, paddingAt } from "./extensions.js";
import { HEADER_LENGTH, MAX_DEPTH } from "./limits.js";
import { NDArray, dtypeOf } from "./ndarray.js";

/** A Blob whose bytes belong at `offset` of an encoded message. */
export interface BlobSlot {
  readonly offset: number;
  readonly blob: Blob;
}

/** An encoded message. It can be sent once every blob is in its place. */
export interface Encoded {
  /** The message, behind {@link HEADER_LENGTH} spare bytes. */
  readonly bytes: Uint8Array;
  readonly blobs: readonly BlobSlot[];
}

const INITIAL_SIZE = 2048;

/** The most bytes that an encoder keeps from one message to the next. */
const SCRATCH_SIZE = 65_536;

/** The bytes before the payload of an extension whose size is counted in four bytes. */
const EXT32_LENGTH = 6;

/** Up to this many ASCII characters are copied one by one, which is faster than to call a TextEncoder. */
const SHORT_TEXT = 48;

const utf8 = new TextEncoder();

/**
 * Writes messages as MessagePack (G2-3). Beyond the plain values it takes what structured data in JavaScript is made of:
 *
 * - `undefined` is left out of objects and becomes `null` elsewhere, as in JSON;
 * - integers up to 2^53 travel as integers, BigInts as 64-bit integers;
 * - `ArrayBuffer`, `DataView`, `Uint8Array`, `Uint8ClampedArray` and `Blob` travel as bytes;
 * - {@link NDArray} and the other typed arrays travel as arrays where {@link Encoder.arrays} allows, as bytes otherwise (ARR-1);
 * - `Date` travels as a timestamp, `Map` as a map whose keys may be numbers.
 */
export class Encoder {
  /** Whether the server takes arrays with their type and shape: `arrays` is accepted (ARR-1). */
  arrays = false;
  /** Whether `undefined` becomes `null` in objects, too. */
  keepUndefined = false;

  #bytes: Uint8Array = new Uint8Array(INITIAL_SIZE);
  #view: DataView = new DataView(this.#bytes.buffer);
  #position = HEADER_LENGTH;
  #blobs: BlobSlot[] = [];

  /**
   * Encodes one message. What it finds in `value` is copied: later changes have no effect.
   *
   * @throws UsageError for what cannot be sent: functions, symbols, promises, BigInts over 64 bits, cycles.
   */
  encode(value: unknown): Encoded {
    this.#position = HEADER_LENGTH;
    this.#blobs = [];
    try {
      this.#value(value, 0);
      return { bytes: this.#take(), blobs: this.#blobs };
    } finally {
      if (this.#bytes.length > SCRATCH_SIZE) this.#use(new Uint8Array(INITIAL_SIZE));
    }
  }

  /** What was written: the buffer itself where that is not kept, a copy otherwise. */
  #take(): Uint8Array {
    const written = this.#bytes.subarray(0, this.#position);
    return this.#bytes.length > SCRATCH_SIZE ? written : written.slice();
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
        return Number.isSafeInteger(value) ? this.#integer(value) : this.#float(value);
      case "boolean":
        return this.#byte(value ? 0xc3 : 0xc2);
      case "undefined":
        return this.#byte(0xc0);
      case "bigint":
        return this.#bigint(value);
      case "object":
        return value === null ? this.#byte(0xc0) : this.#object(value, depth);
      default:
        throw new UsageError(`a ${typeof value} cannot be sent`);
    }
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
    const signed = value < 0n;
    if ((signed ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value)) !== value) {
      throw new UsageError(`${value} does not fit 64 bits`);
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
      throw new UsageError(`${value} bytes or entries are more than MessagePack can count`);
    }
  }

  #text(text: string): void {
    if (text.length <= SHORT_TEXT && this.#ascii(text)) return;
    const bytes = utf8.encode(text);
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
    if (depth >= MAX_DEPTH) throw new UsageError(`values nest deeper than ${MAX_DEPTH} levels, or contain themselves`);
    if (Array.isArray(value)) return this.#list(value, depth);
    if (Object.getPrototypeOf(value) === Object.prototype) return this.#record(value as Record<string, unknown>, depth);
    if (ArrayBuffer.isView(value)) return this.#typedArray(value);
    if (value instanceof NDArray) return this.#array(value as NDArray);
    // By their tags, since an object may come from another frame or realm, where `instanceof` fails.
    switch (Object.prototype.toString.call(value)) {
      case "[object ArrayBuffer]":
      case "[object SharedArrayBuffer]":
        return this.#bin(new Uint8Array(value as ArrayBuffer));
      case "[object Blob]":
      case "[object File]":
        return this.#blob(value as Blob);
      case "[object Date]":
        return this.#date(value as Date);
      case "[object Map]":
        return this.#map(value as Map<unknown, unknown>, depth);
      case "[object Promise]":
        throw new UsageError("a promise cannot be sent: await it first");
      default:
        return this.#record(value as Record<string, unknown>, depth);
    }
  }

  #list(list: readonly unknown[], depth: number): void {
    if (list.length < 16) this.#byte(0x90 | list.length);
    else this.#sized(list.length, 0, 0xdc, 0xdd);
    for (const item of list) this.#value(item, depth + 1);
  }

  #map(map: ReadonlyMap<unknown, unknown>, depth: number): void {
    this.#mapHeader(map.size);
    for (const [key, value] of map) {
      this.#value(key, depth + 1);
      this.#value(value, depth + 1);
    }
  }

  #record(record: Readonly<Record<string, unknown>>, depth: number): void {
    const keys = Object.keys(record).filter((key) => this.keepUndefined || record[key] !== undefined);
    this.#mapHeader(keys.length);
    for (const key of keys) {
      this.#text(key);
      this.#value(record[key], depth + 1);
    }
  }

  #mapHeader(size: number): void {
    if (size < 16) this.#byte(0x80 | size);
    else this.#sized(size, 0, 0xde, 0xdf);
  }

  #raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#skip(bytes.length));
  }

  #bin(bytes: Uint8Array): void {
    this.#sized(bytes.length, 0xc4, 0xc5, 0xc6);
    this.#raw(bytes);
  }

  #blob(blob: Blob): void {
    // A Blob tells its size at once and its bytes later: they get a place here, so that arguments are encoded when they are given.
    this.#sized(blob.size, 0xc4, 0xc5, 0xc6);
    this.#room(blob.size);
    this.#blobs.push({ offset: this.#skip(blob.size), blob });
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
    const padding = wide ? paddingAt(this.#position - HEADER_LENGTH + EXT32_LENGTH + head.length) : 0;
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
    if (Number.isNaN(milliseconds)) throw new UsageError("an invalid Date cannot be sent");
    const seconds = Math.floor(milliseconds / 1000);
    const nanoseconds = (milliseconds - seconds * 1000) * 1_000_000;
    const short = nanoseconds === 0 && seconds >= 0 && seconds < 2 ** 32;
    const medium = seconds >= 0 && seconds < 2 ** 34;
    this.#extension(TIMESTAMP_TYPE, short ? 4 : medium ? 8 : 12);
    this.#room(12);
    if (short) this.#view.setUint32(this.#skip(4), seconds);
    else if (medium) this.#view.setBigUint64(this.#skip(8), (BigInt(nanoseconds) << 34n) | BigInt(seconds));
    else {
      this.#view.setUint32(this.#skip(4), nanoseconds);
      this.#view.setBigInt64(this.#skip(8), BigInt(seconds));
    }
  }
}

/** The bytes of a view, without copying. */
function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

let heads: Encoder | undefined;

/** The count *H* and the type and shape, which come before an array's elements (ARR-2). */
function arrayHead({ dtype, shape }: NDArray): Uint8Array {
  heads ??= new Encoder();
  const { bytes } = heads.encode([dtype, ...shape]);
  // The last spare byte in front of what was encoded is the place for H.
  bytes[HEADER_LENGTH - 1] = bytes.length - HEADER_LENGTH;
  return bytes.subarray(HEADER_LENGTH - 1);
}
