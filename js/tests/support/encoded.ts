import { type Encoded, Encoder } from "../../src/wire/encoder.js";

/** The bytes of an encoded message, behind those that are spare for its header. Blobs are not among them. */
export function joined({ parts }: Encoded): Uint8Array {
  return new Uint8Array(Buffer.concat(parts.filter((part) => part instanceof Uint8Array)));
}

export function encodeWith(options: Partial<Pick<Encoder, "arrays" | "asReleased">>, value: unknown): Uint8Array {
  return joined(Object.assign(new Encoder(), options).encode(value));
}
