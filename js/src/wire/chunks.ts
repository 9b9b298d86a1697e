import { HEADER_LENGTH } from "./limits.js";

/** What stands in front of a chunk (G2-2). */
export interface ChunkHeader {
  readonly id: number;
  readonly offset: number;
  readonly total: number;
}

/** Reads the header of `frame`, which holds at least {@link HEADER_LENGTH} bytes. */
export function readHeader(frame: Uint8Array): ChunkHeader {
  const view = new DataView(frame.buffer, frame.byteOffset, HEADER_LENGTH);
  return { id: view.getUint32(0, true), offset: view.getUint32(4, true), total: view.getUint32(8, true) };
}

/** Writes the header into the first {@link HEADER_LENGTH} bytes of a frame. */
export function withHeader(frame: Uint8Array, id: number, offset: number, total: number): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset, HEADER_LENGTH);
  view.setUint32(0, id, true);
  view.setUint32(4, offset, true);
  view.setUint32(8, total, true);
  return frame;
}
