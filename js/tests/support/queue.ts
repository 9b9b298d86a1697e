// A send queue without a connection, and messages for it.
import { SendQueue } from "../../src/session/send-queue.js";
import { type Encoded, Encoder } from "../../src/wire/encoder.js";
import { Sink } from "./inside.js";

export const KIB = 1024;
export const MIB = 2 ** 20;
export const encoder = new Encoder();
export const wanted = (): boolean => true;

export function bytes(size: number): Encoded {
  return encoder.encode(new Uint8Array(size));
}

/** A Blob whose bytes come when a test says so. */
export function slow(size: number): { blob: Blob; read: () => void; fail: (error: unknown) => void } {
  const blob = new Blob([new Uint8Array(size)]);
  let settle: [(bytes: ArrayBuffer) => void, (error: unknown) => void] = [() => undefined, () => undefined];
  const arrayBuffer = (): Promise<ArrayBuffer> => new Promise((resolve, reject) => (settle = [resolve, reject]));
  const sized = (part: number): Blob => Object.assign(new Blob([new Uint8Array(part)]), { arrayBuffer: () => arrayBuffer().then(() => new ArrayBuffer(part)) });
  blob.slice = (start = 0, end = size) => sized(end - start);
  return { blob: Object.assign(blob, { arrayBuffer: () => arrayBuffer().then(() => new ArrayBuffer(size)) }), read: () => settle[0](new ArrayBuffer(0)), fail: (error) => settle[1](error) };
}

export function opened({ flow = false, numbered = false, maxKept = MIB } = {}): { queue: SendQueue; sink: Sink } {
  const queue = new SendQueue(maxKept);
  const sink = new Sink();
  queue.connect(sink);
  if (numbered) queue.begin(true);
  if (flow) queue.startFlow();
  queue.open();
  return { queue, sink };
}
