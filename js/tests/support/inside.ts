// A session, and its queue, without a connection: frames pass in the same step, so that nothing has to be waited for.
import { decode } from "@msgpack/msgpack";
import type { FrameSink } from "../../src/session/send-queue.js";
import { Session, type SessionOptions } from "../../src/session/session.js";
import { HEADER_LENGTH, withDefaults } from "../../src/wire/limits.js";
import { CLIENT_ID, message } from "./peer.js";

/** A frame, taken apart. */
export interface Chunk {
  readonly id: number;
  readonly offset: number;
  readonly total: number;
  readonly body: Uint8Array;
}

export function chunkOf(frame: Uint8Array): Chunk {
  const view = new DataView(frame.buffer, frame.byteOffset);
  return { id: view.getUint32(0, true), offset: view.getUint32(4, true), total: view.getUint32(8, true), body: frame.slice(HEADER_LENGTH) };
}

/** A frame of a message of `total` bytes, whose bytes are their own offsets. */
export function chunk(id: number, offset: number, end: number, total: number): Uint8Array {
  const frame = new Uint8Array(HEADER_LENGTH + end - offset);
  new Uint32Array(frame.buffer, 0, 3).set([id, offset, total]);
  for (let at = offset; at < end; at++) frame[HEADER_LENGTH + at - offset] = at;
  return frame;
}

/** Keeps the frames that it is sent. */
export class Sink implements FrameSink {
  waiting: number | undefined;
  readonly chunks: Chunk[] = [];

  send(frame: Uint8Array): void {
    this.chunks.push(chunkOf(frame));
  }

  /** What came in one frame each, oldest first. */
  get messages(): unknown[] {
    return this.chunks.filter(({ body, total }) => body.length === total && total > 0).map(({ body }) => decode(body, { useBigInt64: true }));
  }

  /** Sizes of bodies, by the ids of their messages. */
  get sizes(): [number, number][] {
    return this.chunks.map(({ id, body }) => [id, body.length]);
  }
}

/** Makes everything happen that needs no more than turns of this thread. */
export async function turns(count = 20): Promise<void> {
  for (let n = 0; n < count; n++) await new Promise((resolve) => setImmediate(resolve));
}

export const HELLO = { wslink: "1.0", id: "system:c0:0" };

/** A session that the server has let in, which can be resumed where `resume` is given. */
export async function opened(features: readonly string[] = [], options: Partial<SessionOptions> = {}, resume?: object): Promise<{ session: Session; sink: Sink }> {
  const session = new Session({ ...withDefaults({}), ...(resume && { lost: () => undefined }), ...options });
  const sink = new Sink();
  session.connect(sink);
  const hello = session.hello("s3cret", {});
  const granted = resume && { resume: { token: "t", epoch: "e", resumed: false, ...resume } };
  session.receive(message({ ...HELLO, result: { clientID: CLIENT_ID, features, ...granted } }, 0));
  await hello;
  sink.chunks.length = 0;
  return { session, sink };
}
