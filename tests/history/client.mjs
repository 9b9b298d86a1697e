// The JavaScript client of a history; client.py is the same in Python. Its argument is JSON: see js.py. Lines on stdin: "stop", then JSON of what was published.
import { createInterface } from "node:readline";
import { connect } from "../../js/dist/index.js";

const { name, url, seed, pace, topics, keys, sizes, large, largeEvery, largeAt, maxWaiting } = JSON.parse(process.argv[2]);
const log = {
  sent: 0, small: [], answered: [], errors: [], verdicts: [],
  published: Array.from({ length: topics }, () => []), frames: Array.from({ length: keys }, () => []),
};

let state = seed;
function chance() { // mulberry32
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
const choice = (list) => list[Math.floor(chance() * list.length)];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const isFilled = (data, number) => data.every((byte) => byte === number % 251);

const link = await connect(url, { secret: "history", reconnect: { initial: 20, max: 100 } });
link.addEventListener("reconnected", ({ detail }) => log.verdicts.push([detail.resumed, detail.reason ?? null]));

function listen(topic, note) {
  return link.subscribe(topic, (payload) => {
    if (!isFilled(payload[1], payload[0])) log.errors.push(`publication ${payload[0]} of ${topic} is broken`);
    note(payload);
  }).ready;
}
for (let topic = 0; topic < topics; topic++) await listen(`history.t${topic}`, ([number]) => log.published[topic].push(number));
await listen("history.frames", ([number, , key]) => log.frames[key].push(number));

const calls = new Set();
async function call(number) {
  const given = number % largeEvery === largeAt ? large : choice(sizes);
  const wanted = choice(sizes);
  const method = choice(["execute", "late"]);
  if (given <= 2000 && method === "execute") log.small.push(number); // the first step of an async method may come later
  try {
    const result = await link.call(`history.${method}`, [name, number, new Uint8Array(given).fill(number % 251), wanted]);
    log.answered.push(number);
    const [same, length, data] = result;
    if (same !== number || length !== given || data.length !== wanted || !isFilled(data, number)) log.errors.push(`call ${number} has the result of another`);
  } catch (error) {
    log.errors.push(`call ${number}: ${error}`);
  }
}

let speaking = true;
async function speak() {
  while (speaking) {
    for (let n = Math.floor(chance() * 3); n > 0; n--) {
      if (calls.size >= maxWaiting) break;
      const done = call(log.sent++).then(() => calls.delete(done));
      calls.add(done);
    }
    await pause(chance() * pace * 1000);
  }
}
console.log("speaking");
const spoken = speak();

for await (const line of createInterface(process.stdin)) {
  if (line === "stop") {
    speaking = false;
    await spoken;
    await Promise.race([Promise.all(calls), pause(60_000)]);
    console.log("stopped");
  } else {
    const { published, newest } = JSON.parse(line);
    for (let tries = 0; tries < 600; tries++) {
      if (log.published.every((numbers, topic) => numbers.length >= published[topic]) && log.frames.every((numbers, key) => (numbers.at(-1) ?? -1) === newest[key])) break;
      await pause(100);
    }
    log.epoch = link.epoch;
    await link.close();
    process.stdout.write(`${JSON.stringify(log)}\n`, () => process.exit(0)); // not before all of it is written
  }
}
