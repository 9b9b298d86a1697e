// Streams in both directions: ../streams.py has their methods, and is the same in Python.

const SIZE = 3000;
const PATIENCE = 5000; // milliseconds after which a stream that was left still runs
const ENDLESS = 1e9;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const filled = (number) => new Uint8Array(SIZE).fill(number % 251);

function expect(what, found, wanted) {
  if (found !== wanted) throw new Error(`${what}: ${found}, not ${wanted}`);
}

/** Parts for a method; `state.closed` says that nobody reads them any more. `taken` is called with the number of each. */
async function* parts(count, state = {}, taken = () => undefined) {
  try {
    for (let number = 0; number < count; number++) {
      taken(number);
      yield filled(number);
    }
  } finally {
    state.closed = true;
  }
}

async function until(what, reached) {
  for (const end = performance.now() + PATIENCE; !(await reached()); await pause(10)) {
    if (performance.now() > end) throw new Error(`${what} has not ended`);
  }
}

/** Uses every kind of stream. Throws what is wrong. */
export async function check(link) {
  const untilEnded = (name) => until(name, async () => (await link.call("streams.ended")).includes(name));

  let next = 0;
  for await (const [number, data] of link.stream("streams.count", ["whole", 500])) {
    expect("item", number, next++);
    if (!data.every((byte) => byte === number % 251) || data.length !== SIZE) throw new Error(`item ${number} is broken`);
  }
  expect("items", next, 500);
  expect("bytes of an upload", await link.call("streams.collect", ["upload", parts(1000), ENDLESS]), 1000 * SIZE);
  const file = new Blob([new Uint8Array(3_000_000)]);
  expect("bytes of a file", await link.call("streams.collect", ["file", file.stream(), ENDLESS]), file.size);
  let sum = 0;
  for await (const value of link.stream("streams.double", [(async function* () { yield* [1, 2, 3]; })()])) sum += value;
  expect("sum", sum, 12);

  for await (const [number] of link.stream("streams.count", ["left", ENDLESS])) if (number === 5) break;
  await untilEnded("left");
  const read = {};
  expect("bytes that were enough", await link.call("streams.collect", ["enough", parts(ENDLESS, read), 100 * SIZE]), 100 * SIZE);
  await until("the source of an upload", () => read.closed);

  const [abort, sent] = [new AbortController(), {}];
  const source = parts(ENDLESS, sent, (number) => number === 100 && abort.abort());
  const upload = link.call("streams.collect", ["aborted", source, 1e12], {}, { signal: abort.signal });
  expect("an upload", await upload.catch((error) => error.name), "AbortError");
  await until("the source of an upload that was aborted", () => sent.closed);
  await untilEnded("aborted");
}

/** Streams that go on for a long time, in both directions. */
export class LongStreams {
  #link;
  #stopped = false;
  #running;

  constructor(link) {
    this.#link = link;
    this.#running = Promise.all([this.#read(), this.#send()]);
    this.#running.catch(() => undefined); // it is for `stop`
  }

  /** Throws what is wrong. */
  async stop() {
    this.#stopped = true;
    await this.#running;
  }

  async #read() {
    let next = 0;
    for await (const [number] of this.#link.stream("streams.count", ["long", ENDLESS])) {
      expect("item of a long stream", number, next++);
      if (this.#stopped) break;
      await pause(5);
    }
    if (!this.#stopped) throw new Error("a long stream has ended");
  }

  async #send() {
    let sent = 0;
    const slow = async function* () {
      for (; !this.#stopped; await pause(5)) yield filled(sent++);
    };
    const total = await this.#link.call("streams.collect", ["long upload", slow.call(this), ENDLESS]);
    expect("bytes of a long upload", total, sent * SIZE);
  }
}
