import type { Encoded } from "../wire/encoder.js";
import { HEADER_LENGTH } from "../wire/limits.js";

/** Reads the parts of a message sequentially. */
export class Source {
  readonly #parts: (Uint8Array | Blob)[];
  #position = HEADER_LENGTH;

  /** @param skip - bytes to skip. */
  constructor(parts: Encoded["parts"], skip = 0) {
    this.#parts = [...parts];
    this.#position += skip;
    for (let part; (part = this.#parts[0]) && this.#position >= sizeOf(part); this.#parts.shift()) this.#position -= sizeOf(part);
  }

  /** Fills a frame after its header. */
  async fill(frame: Uint8Array): Promise<void> {
    let at = HEADER_LENGTH;
    while (at < frame.length) {
      const part = this.#parts[0] as Uint8Array | Blob;
      const left = sizeOf(part) - this.#position;
      const size = Math.min(left, frame.length - at);
      frame.set(await slice(part, this.#position, size), at);
      at += size;
      this.#position += size;
      if (size < left) continue;
      this.#parts.shift();
      this.#position = 0;
    }
  }
}

/** Not by `instanceof`: under Jest, text is encoded to bytes of another realm. */
function sizeOf(part: Uint8Array | Blob): number {
  return ArrayBuffer.isView(part) ? part.length : part.size;
}

function slice(part: Uint8Array | Blob, start: number, size: number): Uint8Array | Promise<Uint8Array> {
  if (ArrayBuffer.isView(part)) return part.subarray(start, start + size);
  const blob = start === 0 && size === part.size ? part : part.slice(start, start + size);
  return blob.arrayBuffer().then((bytes) => new Uint8Array(bytes));
}
