// A JavaScript client of a history, in Node or in a page; client.py is the same in Python.

const isFilled = (data, number) => data.every((byte) => byte === number % 251);
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
      sent: 0, small: [], answered: [], errors: [], verdicts: [],
      published: Array.from({ length: given.topics }, () => []), frames: Array.from({ length: given.keys }, () => []),
    };
    link.addEventListener("reconnected", ({ detail }) => this.log.verdicts.push([detail.resumed, detail.reason ?? null]));
  }

  async begin() {
    const { published, frames } = this.log;
    for (const [topic, numbers] of published.entries()) await this.#listen(`history.t${topic}`, ([number]) => numbers.push(number));
    await this.#listen("history.frames", ([number, , key]) => frames[key].push(number));
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
    const { log } = this;
    const { name, sizes, large, largeEvery, largeAt } = this.#given;
    const given = number % largeEvery === largeAt ? large : this.#choice(sizes);
    const wanted = this.#choice(sizes);
    const method = this.#choice(["execute", "late"]);
    if (given <= 2000 && method === "execute") log.small.push(number); // the first step of an async method may come later
    try {
      const result = await this.#link.call(`history.${method}`, [name, number, new Uint8Array(given).fill(number % 251), wanted]);
      log.answered.push(number);
      const [same, length, data] = result;
      if (same !== number || length !== given || data.length !== wanted || !isFilled(data, number)) log.errors.push(`call ${number} has the result of another`);
    } catch (error) {
      log.errors.push(`call ${number}: ${error}`);
    }
  }
}
