// Gives up calls beside a large transfer; see cancelling.py.
import { connect } from "../js/dist/index.js";

const [url, kind, size, calls] = process.argv.slice(2);
const link = await connect(url, { secret: "secret" });
const now = () => performance.timeOrigin + performance.now();
const data = new Uint8Array(kind === "argument" ? Number(size) : 0);
const again = () => (kind === "result" ? link.call("bench.binary", [Number(size)]) : link.call("bench.take", [data]));
let over = false;
const transfers = (async () => {
  while (!over) await again();
})();

const times = [];
for (let number = 0; number < Number(calls); number++) {
  const controller = new AbortController();
  const call = link.call("bench.slow", [number], {}, { signal: controller.signal }).catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const aborted = now();
  controller.abort();
  await call;
  times.push((await link.call("bench.ended", [number])) - aborted);
}
over = true;
await transfers;
await link.close();
console.log(JSON.stringify(times));
