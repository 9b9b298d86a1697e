// Links that collect what is published on test.topic, until stdin ends, which says how many these are; then what became of each is written as JSON.
import { connect } from "../../js/dist/index.js";

const [url, count] = process.argv.slice(2);
const viewers = [];
for (let number = 0; number < Number(count); number += 1) {
  const link = await connect(url, { secret: "secret" });
  const viewer = { id: link.clientId, got: [], resumed: [], ended: [] };
  link.addEventListener("reconnected", ({ detail }) => viewer.resumed.push(detail.resumed));
  await link.subscribe("test.topic", (payload) => viewer.got.push(payload)).ready;
  link.call("test.slow", [0.2]).catch((error) => viewer.ended.push(String(error)));
  viewers.push({ viewer, link });
}
console.log("ready");
let text = "";
process.stdin.on("data", (data) => (text += data));
process.stdin.on("end", async () => {
  const deadline = Date.now() + 10_000;
  while (viewers.some(({ viewer }) => viewer.got.length < Number(text)) && Date.now() < deadline) await new Promise((go) => setTimeout(go, 50));
  console.log(JSON.stringify(viewers.map(({ viewer, link }) => ({ ...viewer, same: viewer.id === link.clientId }))));
  process.exit(0);
});
