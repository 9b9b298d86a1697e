import { frame } from "./peer.js";
import { DEFAULT_FRAME_SIZE, HEADER_LENGTH } from "../../src/wire/limits.js";
import { type Encoded, Encoder } from "../../src/wire/encoder.js";

/** The bytes of an encoded message, behind those that are spare for its header. Blobs are not among them. */
export function joined({ parts }: Encoded): Uint8Array {
  return new Uint8Array(Buffer.concat(parts.filter((part) => part instanceof Uint8Array)));
}

export function encodeWith(options: Partial<Pick<Encoder, "arrays" | "asReleased">>, value: unknown): Uint8Array {
  return joined(Object.assign(new Encoder(), options).encode(value));
}

/** Cuts a message, which begins behind {@link HEADER_LENGTH} spare bytes, into frames as G2-5 has it. */
export function cut(message: Uint8Array, id: number, frameSize = DEFAULT_FRAME_SIZE): Uint8Array[] {
  const body = message.subarray(HEADER_LENGTH);
  const step = frameSize - HEADER_LENGTH;
  return Array.from({ length: Math.max(Math.ceil(body.length / step), 1) }, (_, index) => {
    return new Uint8Array(frame(body.subarray(index * step, (index + 1) * step), { id, offset: index * step, total: body.length }));
  });
}
