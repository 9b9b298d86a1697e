import { ErrorCode, ProtocolError } from "../errors.js";
import { ARRAY_TYPE, TIMESTAMP_TYPE, readArray, readTimestamp } from "./extensions.js";
import { MAX_DEPTH } from "./limits.js";

/** Up to this many bytes of text are read one by one, which is faster than to call a TextDecoder. */
const SHORT_TEXT = 24;

// A byte order mark is text like any other; broken text is an error, as it is to the server.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const NOTHING = new Uint8Array(0);

/** A decoded map. */
export type Decoded = Record<string, unknown>;

/**
 * Reads messages from MessagePack (G2-3), without copying: bytes and arrays are views of the message.
 *
 * Integers beyond 2^53 become BigInts, timestamps Dates, arrays {@link NDArray}s. What it allocates is in proportion to
 * the bytes that are there, whatever lengths they announce.
 */
export class Decoder {
  /** Whether integers beyond 2^53 become the nearest number instead of a BigInt. */
  rounds = false;

  #bytes: Uint8Array = NOTHING;
  #view = new DataView(NOTHING.buffer) as DataView;
  #position = 0;
  /** How many more entries the message has bytes for. */
  #entries = 0;
  #outermost: Decoded | undefined;

  /** Where decoding failed: what could be read of the outermost map before that. */
  get outermost(): Decoded | undefined {
    return this.#outermost;
  }

  /**
   * Decodes the one value that `bytes` hold.
   *
   * @throws ProtocolError (-32700) where they hold anything else.
   */
  decode(bytes: Uint8Array): unknown {
    this.#use(bytes);
    this.#outermost = undefined;
    try {
      const value = this.#value(0);
      if (this.#position < bytes.length) throw malformed(`${bytes.length - this.#position} bytes follow it`);
      this.#outermost = undefined;
      return value;
    } catch (error) {
      // A DataView throws a RangeError past its end, a TextDecoder a TypeError for broken text.
      throw error instanceof ProtocolError ? error : malformed(String(error), error);
    } finally {
      this.#use(NOTHING);
    }
  }

  #use(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#position = 0;
    this.#entries = bytes.length;
  }

  #value(depth: number): unknown {
    const code = this.#view.getUint8(this.#position++);
    if (code < 0x80) return code;
    if (code < 0x90) return this.#map(code & 0x0f, depth);
    if (code < 0xa0) return this.#list(code & 0x0f, depth);
    if (code < 0xc0) return this.#text(code & 0x1f);
    if (code >= 0xe0) return code - 0x100;
    return code < 0xca ? this.#bytesOrConstant(code) : this.#numberOrLong(code, depth);
  }

  #bytesOrConstant(code: number): unknown {
    if (code > 0xc6) return this.#extension(this.#count(code - 0xc7));
    if (code > 0xc3) return this.#bin(this.#count(code - 0xc4));
    if (code === 0xc1) throw malformed("0xc1 begins no value");
    return code === 0xc0 ? null : code === 0xc3;
  }

  #numberOrLong(code: number, depth: number): unknown {
    if (code > 0xdd) return this.#map(this.#count(code - 0xdd), depth);
    if (code > 0xdb) return this.#list(this.#count(code - 0xdb), depth);
    if (code > 0xd8) return this.#text(this.#count(code - 0xd9));
    if (code > 0xd3) return this.#extension(1 << (code - 0xd4));
    if (code > 0xcb && code < 0xcf) return this.#count(code - 0xcc);
    switch (code) {
      case 0xca:
        return this.#view.getFloat32(this.#skip(4));
      case 0xcb:
        return this.#view.getFloat64(this.#skip(8));
      case 0xd0:
        return this.#view.getInt8(this.#skip(1));
      case 0xd1:
        return this.#view.getInt16(this.#skip(2));
      case 0xd2:
        return this.#view.getInt32(this.#skip(4));
      case 0xcf:
        return this.#wide(this.#view.getUint32(this.#position), true);
      default:
        return this.#wide(this.#view.getInt32(this.#position), false);
    }
  }

  /** Moves on by `size` bytes; returns where they begin. */
  #skip(size: number): number {
    const position = this.#position;
    this.#position += size;
    return position;
  }

  /** An unsigned number of 1, 2 or 4 bytes, which are a width of 0, 1 or 2. */
  #count(width: number): number {
    const at = this.#skip(1 << width);
    return width > 1 ? this.#view.getUint32(at) : width ? this.#view.getUint16(at) : this.#view.getUint8(at);
  }

  /** A 64-bit integer: a number where that is exact, a BigInt otherwise. */
  #wide(high: number, unsigned: boolean): number | bigint {
    const at = this.#skip(8);
    const value = high * 2 ** 32 + this.#view.getUint32(at + 4);
    if (this.rounds || Number.isSafeInteger(value)) return value;
    return unsigned ? this.#view.getBigUint64(at) : this.#view.getBigInt64(at);
  }

  #bin(size: number): Uint8Array {
    this.#expect(size);
    const start = this.#skip(size);
    return this.#bytes.subarray(start, start + size);
  }

  #text(size: number): string {
    if (size > SHORT_TEXT) return utf8.decode(this.#bin(size));
    this.#expect(size);
    const bytes = this.#bytes;
    const end = this.#position + size;
    let text = "";
    for (let index = this.#position; index < end; index++) {
      const code = bytes[index] as number;
      if (code > 0x7f) return utf8.decode(this.#bin(size));
      text += String.fromCharCode(code);
    }
    this.#position = end;
    return text;
  }

  #list(size: number, depth: number): unknown[] {
    this.#enter(depth, size);
    const list = new Array<unknown>(size);
    for (let index = 0; index < size; index++) list[index] = this.#value(depth + 1);
    return list;
  }

  #map(size: number, depth: number): Decoded {
    this.#enter(depth, 2 * size);
    const map: Decoded = {};
    if (depth === 0) this.#outermost = map;
    for (let index = 0; index < size; index++) {
      const key = this.#key();
      const value = this.#value(depth + 1);
      if (key === "__proto__") defineProto(map, value);
      else map[key] = value;
    }
    return map;
  }

  /** A key, as an object can have it (MSG-8): numbers, and the constants that released servers send, become text as in JSON. */
  #key(): string {
    const code = this.#view.getUint8(this.#position);
    if ((code >= 0x80 && code < 0xa0) || (code >= 0xdc && code < 0xe0)) throw malformed("a key of a map is a list or a map");
    const key = this.#value(MAX_DEPTH);
    if (typeof key === "string") return key;
    if (typeof key !== "object" || key === null) return String(key);
    throw malformed(`a key of a map is ${ArrayBuffer.isView(key) ? "bytes" : "an array or a timestamp"}`);
  }

  #extension(size: number): unknown {
    const type = this.#view.getInt8(this.#position++);
    const payload = this.#bin(size);
    if (type === TIMESTAMP_TYPE) return readTimestamp(payload);
    if (type !== ARRAY_TYPE) throw malformed(`extension type ${type} is unknown`);
    const headEnd = 1 + (payload[0] ?? 0);
    return readArray(payload, decodeHead(payload.subarray(1, headEnd)), headEnd);
  }

  /** Begins a list or map. All entries of a message together take a byte each at least: no more than that is allocated (G2-8). */
  #enter(depth: number, entries: number): void {
    if (depth >= MAX_DEPTH) throw malformed(`it nests deeper than ${MAX_DEPTH} levels`);
    this.#entries -= entries;
    if (this.#entries < 0) throw tooShort();
  }

  #expect(size: number): void {
    if (size > this.#bytes.length - this.#position) throw tooShort();
  }
}

let heads: Decoder | undefined;

function decodeHead(bytes: Uint8Array): unknown {
  heads ??= new Decoder();
  return heads.decode(bytes);
}

/** Sets an own property, as JSON.parse does; an assignment would replace the map's prototype. */
function defineProto(map: Decoded, value: unknown): void {
  Object.defineProperty(map, "__proto__", { value, writable: true, enumerable: true, configurable: true });
}

function tooShort(): ProtocolError {
  return malformed("it ends too early");
}

function malformed(why: string, cause?: unknown): ProtocolError {
  return new ProtocolError(ErrorCode.parse, `a message cannot be decoded: ${why}`, { cause });
}
