// Frames that a server publishes, as the released npm client gets them in Node. Usage: frames.mjs URL SECRET SIZE RATE SECONDS CALLBACK.
// A callback takes CALLBACK seconds; a frame's age counts when it is done. Prints when that was and the age of each frame, and the round
// trips of small calls every 100 ms, all in seconds, as JSON.
import { createRequire } from "node:module";
import { released } from "./clients.mjs";

const [url, secret, size, rate, seconds, callback] = process.argv.slice(2);
const MARK = Buffer.from("f177736c696e6bf1", "hex"); // servers/common.py

const require = createRequire(new URL("../../js/package.json", import.meta.url));
const location = { protocol: "http:", hostname: "localhost", port: "", pathname: "/" };
const document = { currentScript: { tagName: "SCRIPT", src: "http://localhost/wslink.js" } };
Object.assign(globalThis, { self: globalThis, window: { location }, document, WebSocket: require("ws").WebSocket });
const { default: npm } = await import("../../js/node_modules/wslink2/dist/wslink.js");

/** The clock of the server's stamps. */
const now = () => Number(process.hrtime.bigint()) / 1e9;

const ages = [];
const trips = [];
const { call, subscribe } = await released(npm)(undefined, url, secret);
const begun = now();
await subscribe("bench.topic", (payload) => {
  const tail = Buffer.from(payload.buffer, payload.byteOffset + payload.byteLength - 256, 256);
  const stamp = tail.readDoubleLE(tail.lastIndexOf(MARK, -17) + MARK.length);
  const done = now() + Number(callback);
  while (now() < done);
  ages.push([now() - begun, now() - stamp]);
});
await call("bench.frames", [Number(size), Number(rate), Number(seconds)]);
const probe = setInterval(async () => {
  const start = now();
  const trip = { start, took: undefined };
  trips.push(trip);
  await call("bench.add", [1, 2, 3]).catch(() => undefined);
  trip.took = now() - start;
}, 100);
setTimeout(() => {
  clearInterval(probe);
  const took = trips.map((trip) => [trip.start - begun, trip.took ?? now() - trip.start]);
  console.log(JSON.stringify({ ages, trips: took }));
  process.exit();
}, Number(seconds) * 1000);
