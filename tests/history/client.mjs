// The JavaScript client of a history. Its argument is JSON: see js.py. Lines on stdin: "stop", then JSON of what was published.
import { createInterface } from "node:readline";
import { connect } from "../../js/dist/index.js";
import { Speaker } from "./page/speaker.mjs";

const given = JSON.parse(process.argv[2]);
const link = await connect(given.url, { secret: "history", reconnect: { initial: 20, max: 100 } });
const speaker = new Speaker(link, given);
await speaker.begin();
console.log("speaking");

for await (const line of createInterface(process.stdin)) {
  if (line === "stop") {
    await speaker.stop();
    console.log("stopped");
  } else {
    const log = await speaker.end(JSON.parse(line));
    process.stdout.write(`${JSON.stringify(log)}\n`, () => process.exit(0)); // not before all of it is written
  }
}
