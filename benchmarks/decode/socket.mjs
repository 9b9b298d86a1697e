// A WebSocket without a network: frames as servers send them, in the form in which platforms deliver them.

const HEADER = 12;
const FRAME = 4 * 1024 * 1024; // what servers send at most
const text = new TextEncoder();

/** Answers hello as a released server does, and delivers what it is handed. */
export class FakeSocket {
  binaryType = "blob";
  readyState = 1;
  #listeners = { open: [], message: [], close: [], error: [] };

  constructor(url) {
    this.url = url;
    queueMicrotask(() => this.#fire("open", {}));
  }

  addEventListener(type, listener) {
    this.#listeners[type].push(listener);
  }

  send() {
    const answer = message("system:c0:0", map([["clientID", string("c1")], ["maxMsgSize", uint32(FRAME)]]));
    queueMicrotask(() => this.deliver(cut(answer).map((frame) => form(frame, this.binaryType))));
  }

  close() {}

  /** Hands frames over, each as a message event of its own. */
  deliver(frames) {
    for (const data of frames) this.#fire("message", { data });
  }

  // Not an EventTarget: what its dispatch costs is the platform's.
  #fire(type, event) {
    this[`on${type}`]?.(event);
    for (const listener of this.#listeners[type]) listener(event);
  }
}

/** A frame as the platform delivers it: a Blob, or an ArrayBuffer of its own. */
export function form(frame, binaryType) {
  return binaryType === "blob" ? new Blob([frame]) : frame.slice().buffer;
}

/** The frames of a publication whose payload is `size` bytes. */
export function publication(topic, size) {
  const payload = new Uint8Array(size);
  for (let index = 0; index < size; index += 512) payload[index] = index;
  return cut(message(`publish:${topic}:0`, [0xc6, ...be32(size)], payload));
}

function message(id, result, payload = new Uint8Array(0)) {
  const head = map([["wslink", string("1.0")], ["id", string(id)], ["result", result]]);
  const whole = new Uint8Array(head.length + payload.length);
  whole.set(head);
  whole.set(payload, head.length);
  return whole;
}

function cut(whole) {
  const frames = [];
  for (let offset = 0; offset < whole.length; offset += FRAME - HEADER) {
    const content = whole.subarray(offset, offset + FRAME - HEADER);
    const frame = new Uint8Array(HEADER + content.length);
    const view = new DataView(frame.buffer);
    [7, offset, whole.length].forEach((value, index) => view.setUint32(4 * index, value, true));
    frame.set(content, HEADER);
    frames.push(frame);
  }
  return frames;
}

// MessagePack

function map(entries) {
  return [0x80 + entries.length, ...entries.flatMap(([key, value]) => [...string(key), ...value])];
}

function string(value) {
  const bytes = text.encode(value);
  return [0xa0 + bytes.length, ...bytes];
}

function uint32(value) {
  return [0xce, ...be32(value)];
}

function be32(value) {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}
