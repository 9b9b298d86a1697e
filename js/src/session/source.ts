import type { Encoded } from "../wire/encoder.js";
import { HEADER_LENGTH } from "../wire/limits.js";

/** Reads the parts of a message from front to back. */
export class Source {
  readonly #parts: (Uint8Array | Blob)[];
  #position = HEADER_LENGTH;

  constructor(parts: Encoded["parts"]) {
    this.#parts = [...parts];
  }

  /** Fills a frame behind its header. */
  async fill(frame: Uint8Array): Promise<void> {
    let at = HEADER_LENGTH;
    while (at < frame.length) {
      const part = this.#parts[0] as Uint8Array | Blob;
      const left = (part instanceof Uint8Array ? part.length : part.size) - this.#position;
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

function slice(part: Uint8Array | Blob, start: number, size: number): Uint8Array | Promise<Uint8Array> {
  if (part instanceof Uint8Array) return part.subarray(start, start + size);
  const blob = start === 0 && size === part.size ? part : part.slice(start, start + size);
  return blob.arrayBuffer().then((bytes) => new Uint8Array(bytes));
}
