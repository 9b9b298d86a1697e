import { DEFAULT_FRAME_SIZE, HEADER_LENGTH } from "./limits.js";

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

/**
 * Cuts a message into frames of at most `frameSize` bytes, one at a time (G2-5).
 *
 * @param message - the message behind {@link HEADER_LENGTH} spare bytes, which are overwritten: a message that fits one
 *   frame is framed in place.
 * @param id - the message id (G2-4).
 */
export function* chunk(message: Uint8Array, id: number, frameSize = DEFAULT_FRAME_SIZE): Generator<Uint8Array> {
  const total = message.length - HEADER_LENGTH;
  if (message.length <= frameSize) {
    yield withHeader(message, id, 0, total);
    return;
  }
  const step = Math.max(frameSize - HEADER_LENGTH, 1);
  for (let offset = 0; offset < total; offset += step) {
    // The bytes before the slice are the end of the slice before it: just the room that the header needs.
    yield withHeader(message.slice(offset, offset + HEADER_LENGTH + step), id, offset, total);
  }
}

/** Writes the header into the first {@link HEADER_LENGTH} bytes of a frame. */
export function withHeader(frame: Uint8Array, id: number, offset: number, total: number): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset, HEADER_LENGTH);
  view.setUint32(0, id, true);
  view.setUint32(4, offset, true);
  view.setUint32(8, total, true);
  return frame;
}
