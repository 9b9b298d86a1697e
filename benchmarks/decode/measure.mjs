// How long clients take from a WebSocket's message events to a subscriber's callback. Runs in Node and in pages alike.
import { FakeSocket, form, publication } from "./socket.mjs";

const TOPIC = "bench.topic";

/** The bytes of a publication's payload, how many publications are handed over at once, and for how long at least, in milliseconds. */
const SIZES = { "1k": [1024, 50, 25], "1m": [1024 * 1024, 4, 25], "64m": [64 * 1024 * 1024, 1, 0] };

/**
 * @param clients - name to a function that connects a client to a WebSocket of the class that it is given, and returns
 *   a function that subscribes a callback to a topic.
 * @param windows - how often each is measured; clients take turns.
 * @param clock - microseconds: by the clock, or on a core.
 * @returns client to size to publications per second, of each window.
 */
export async function measure(clients, windows, clock = () => performance.now() * 1000) {
  const connected = {};
  for (const [name, connect] of Object.entries(clients)) connected[name] = await open(connect);
  const figures = Object.fromEntries(Object.keys(clients).map((name) => [name, {}]));
  for (const [label, [size, atOnce, least]] of Object.entries(SIZES)) {
    const frames = {};
    for (const [name, { socket }] of Object.entries(connected)) {
      frames[name] = publication(TOPIC, size).map((frame) => form(frame, socket.binaryType));
      figures[name][label] = [];
    }
    for (let window = 0; window <= windows; window++) {
      for (const [name, client] of Object.entries(connected)) {
        const perSecond = await once(client, frames[name], size, atOnce, least, clock);
        if (window > 0) figures[name][label].push(perSecond);
      }
    }
  }
  return figures;
}

async function open(connect) {
  let opened;
  class Socket extends FakeSocket {
    constructor(url) {
      super(url);
      opened = this;
    }
  }
  const platform = globalThis.WebSocket;
  globalThis.WebSocket = Socket;
  const { subscribe } = await connect(Socket);
  globalThis.WebSocket = platform;
  const client = { socket: opened, arrived: () => undefined };
  await subscribe(TOPIC, (payload) => client.arrived(payload));
  return client;
}

/** Publications per second. */
async function once(client, frames, size, atOnce, least, clock) {
  const begin = clock();
  const end = performance.now() + least;
  let done = 0;
  do {
    await burst(client, frames, size, atOnce);
    done += atOnce;
  } while (performance.now() < end);
  return (done * 1e6) / (clock() - begin);
}

function burst(client, frames, size, count) {
  return new Promise((resolve, reject) => {
    let left = count;
    client.arrived = (payload) => {
      if (payload.length !== size) reject(new Error(`${payload.length} bytes arrived of ${size}`));
      if (--left === 0) resolve();
    };
    for (let index = 0; index < count; index++) client.socket.deliver(frames);
  });
}
