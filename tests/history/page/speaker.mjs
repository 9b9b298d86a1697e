// A JavaScript client of a history, in Node or in a page; client.py is the same in Python.

const SHARE_OF_OTHERS = 0.2;
const MAX_ITEMS = 40;
/** As flows.py has them. */
const ITEM_SIZES = [...Array(80).fill(10), ...Array(18).fill(2_000), 40_000, 40_000];

const filled = (number, size) => new Uint8Array(size).fill(number % 251);
function isFilled(data, number) {
  const wanted = number % 251;
  for (let at = 0; at < data.length; at++) if (data[at] !== wanted) return false; // `every` takes ten times as long
  return true;
}
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Random numbers from a seed: mulberry32. */
function chanceOf(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Calls all the time, and logs what it sends and what arrives. What is given: see js.py. */
export class Speaker {
  #given;
  #link;
  #chance;
  #calls = new Set();
  #speaking = true;
  #spoken;

  constructor(link, given) {
    this.#link = link;
    this.#given = given;
    this.#chance = chanceOf(given.seed);
    this.log = {
      sent: 0, small: [], answered: [], errors: [], verdicts: [], served: [],
      published: Array.from({ length: given.topics }, () => []), frames: Array.from({ length: given.keys }, () => []),
    };
    link.addEventListener("reconnected", ({ detail }) => this.log.verdicts.push([detail.resumed, detail.reason ?? null]));
  }

  async begin() {
    const { published, frames } = this.log;
    for (const [topic, numbers] of published.entries()) await this.#listen(`history.t${topic}`, ([number]) => numbers.push(number));
    await this.#listen("history.frames", ([number, , key]) => frames[key].push(number));
    this.#link.handle("history.asked", ([number, data]) => {
      this.log.served.push([number, data.length]);
      if (!isFilled(data, number)) this.log.errors.push(`argument of call ${number} of the server is broken`);
      return [number, data];
    });
    await this.#link.call("history.enrol", [this.#given.name]);
    this.#spoken = this.#speak();
  }

  /** Calls no more, and waits for the results of what was called. */
  async stop() {
    this.#speaking = false;
    await this.#spoken;
    await Promise.race([Promise.all(this.#calls), pause(60_000)]);
  }

  /** Waits for what was published; the log. */
  async end({ published, newest }) {
    const { log } = this;
    for (let tries = 0; tries < 600; tries++) {
      if (log.published.every((numbers, topic) => numbers.length >= published[topic]) && log.frames.every((numbers, key) => (numbers.at(-1) ?? -1) === newest[key])) break;
      await pause(100);
    }
    log.epoch = this.#link.epoch;
    await this.#link.close();
    return log;
  }

  #choice(list) {
    return list[Math.floor(this.#chance() * list.length)];
  }

  #listen(topic, note) {
    return this.#link.subscribe(topic, (payload) => {
      if (!isFilled(payload[1], payload[0])) this.log.errors.push(`publication ${payload[0]} of ${topic} is broken`);
      note(payload);
    }).ready;
  }

  async #speak() {
    const { pace, maxWaiting } = this.#given;
    while (this.#speaking) {
      for (let n = Math.floor(this.#chance() * 3); n > 0; n--) {
        if (this.#calls.size >= maxWaiting) break;
        const done = this.#call(this.log.sent++).then(() => this.#calls.delete(done));
        this.#calls.add(done);
      }
      await pause(this.#chance() * pace * 1000);
    }
  }

  async #call(number) {
    const chosen = this.#chance();
    const kinds = [(n) => this.#count(n), (n) => this.#upload(n), (n) => this.#watch(n)];
    const make = chosen < SHARE_OF_OTHERS ? kinds[Math.floor((chosen / SHARE_OF_OTHERS) * kinds.length)] : (n) => this.#execute(n);
    try {
      if (!(await make(number))) this.log.errors.push(`call ${number} has the result of another`);
      this.log.answered.push(number);
    } catch (error) {
      this.log.errors.push(`call ${number}: ${error}`);
    }
  }

  async #execute(number) {
    const { name, sizes, large, largeEvery, largeAt } = this.#given;
    const given = number % largeEvery === largeAt ? large : this.#choice(sizes);
    const wanted = this.#choice(sizes);
    const method = this.#choice(["execute", "late"]);
    if (given <= 2000 && method === "execute") this.log.small.push(number); // the first step of an async method may come later
    const [same, length, data] = await this.#link.call(`history.${method}`, [name, number, filled(number, given), wanted]);
    return same === number && length === given && data.length === wanted && isFilled(data, number);
  }

  /** A stream: each item once, and in order. */
  async #count(number) {
    const items = Math.floor(this.#chance() * MAX_ITEMS);
    let arrived = 0;
    let right = true;
    for await (const [same, place, data] of this.#link.stream("history.count", [this.#given.name, number, items])) {
      right &&= same === number && place === arrived && isFilled(data, number + place);
      arrived += 1;
    }
    return right && arrived === items;
  }

  async #upload(number) {
    const items = Math.floor(this.#chance() * MAX_ITEMS);
    const choose = () => this.#choice(ITEM_SIZES);
    async function* parts() {
      for (let place = 0; place < items; place++) yield [place, filled(number + place, choose())];
    }
    return (await this.#link.call("history.collect", [this.#given.name, number, parts()])) === items;
  }

  /** Progress in order, and none after the response. */
  async #watch(number) {
    const seen = [];
    let over = false;
    const onProgress = (step) => {
      if (over || step <= (seen.at(-1) ?? -1)) this.log.errors.push(`progress ${step} of call ${number} after ${seen.at(-1)}, or the response`);
      seen.push(step);
    };
    const steps = Math.floor(this.#chance() * MAX_ITEMS);
    const result = await this.#link.call("history.steps", [this.#given.name, number, steps], {}, { onProgress });
    over = true;
    return result === steps && seen.every((step) => step < steps);
  }
}
