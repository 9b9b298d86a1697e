// How long a client takes from a WebSocket's message events to its subscriber's callback. Runs in Node and in pages alike.

const TOPIC = "bench.topic";
const HEADER = 12;
const FRAME = 4 * 1024 * 1024; // what servers send at most
const text = new TextEncoder();

/** What is measured: the bytes of a publication's payload, how many are under way at once, and how many a window holds. */
const SIZES = { "1k": [1024, 50, 40], "1m": [1024 * 1024, 4, 8], "64m": [64 * 1024 * 1024, 1, 2] };
const WINDOWS = 9;

/**
 * @param clients - name to a function that connects one, with `WebSocket` as the platform's, and returns a function
 *   that subscribes a callback to a topic.
 * @returns client to size to the microseconds that a publication takes, of the best window.
 */
export async function measure(clients, clock = () => performance.now() * 1000) {
  const results = {};
  for (const [name, connect] of Object.entries(clients)) {
    const { socket, subscribe } = await connected(connect);
    let arrived = () => undefined;
    await subscribe(TOPIC, (payload) => arrived(payload));
    results[name] = { socket, onPublication: (callback) => (arrived = callback) };
  }
  const figures = Object.fromEntries(Object.keys(clients).map((name) => [name, {}]));
  for (const [label, [size, atOnce, bursts]] of Object.entries(SIZES)) {
    for (let window = 0; window < WINDOWS; window++) {
      for (const [name, client] of Object.entries(results)) {
        const frames = publication(size).map((frame) => form(frame, client.socket.binaryType));
        const spent = await once(client, frames, size, atOnce, bursts, clock);
        figures[name][label] = Math.min(figures[name][label] ?? Infinity, spent);
      }
    }
  }
  return figures;
}

/** Microseconds of one publication. */
async function once({ socket, onPublication }, frames, size, atOnce, bursts, clock) {
  const begin = clock();
  for (let burst = 0; burst < bursts; burst++) {
    await new Promise((resolve, reject) => {
      let left = atOnce;
      onPublication((payload) => {
        if (payload.length !== size) reject(new Error(`${payload.length} bytes arrived of ${size}`));
        if (--left === 0) resolve();
      });
      for (let index = 0; index < atOnce; index++) socket.deliver(frames);
    });
  }
  return (clock() - begin) / (atOnce * bursts);
}

async function connected(connect) {
  const opened = [];
  class Socket extends FakeSocket {
    constructor(url) {
      super(url);
      opened.push(this);
    }
  }
  const platform = globalThis.WebSocket;
  globalThis.WebSocket = Socket;
  try {
    const subscribe = await connect(Socket);
    return { socket: opened[0], subscribe };
  } finally {
    globalThis.WebSocket = platform;
  }
}

/** A WebSocket whose server answers hello, and sends what the benchmark hands it. */
class FakeSocket extends EventTarget {
  binaryType = "blob";
  readyState = 1;

  constructor(url) {
    super();
    this.url = url;
    queueMicrotask(() => this.#fire("open", {}));
  }

  send() {
    const answer = message("system:c0:0", map([["clientID", string("c1")], ["maxMsgSize", uint32(FRAME)]]));
    queueMicrotask(() => this.deliver(cut(answer).map((frame) => form(frame, this.binaryType))));
  }

  close() {}

  deliver(frames) {
    for (const data of frames) this.#fire("message", { data });
  }

  #listeners = { open: [], message: [], close: [], error: [] };

  addEventListener(type, listener) {
    this.#listeners[type].push(listener);
  }

  // Not through dispatchEvent: its cost is the platform's, not the clients'.
  #fire(type, event) {
    this[`on${type}`]?.(event);
    for (const listener of this.#listeners[type]) listener(event);
  }
}

/** A frame as the platform delivers it: an ArrayBuffer of its own, or a Blob. */
function form(frame, binaryType) {
  return binaryType === "blob" ? new Blob([frame]) : frame.slice().buffer;
}

/** The frames of a publication of `size` bytes, as servers send it. */
function publication(size) {
  const payload = new Uint8Array(size);
  for (let index = 0; index < size; index += 512) payload[index] = index;
  return cut(message(`publish:${TOPIC}:0`, [0xc6, ...be32(size)], payload));
}

function message(id, result, payload = new Uint8Array(0)) {
  const head = new Uint8Array(map([["wslink", string("1.0")], ["id", string(id)], ["result", result]]));
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
