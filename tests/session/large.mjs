// A page that carries a large message over a line which is cut before it can arrive: its arguments are a URL, a way and a number of bytes.
import { connect } from "../../js/dist/index.js";

const [url, way, size] = process.argv.slice(2);
const link = await connect(url, { secret: "secret", reconnect: { initial: 10, max: 20 } });
await link.call("test.begin");
const data = new Uint8Array(Number(size)).map((_, index) => index % 251);
const result = way === "down" ? (await link.call("test.down")).every((byte, index) => byte === index % 251) : await link.call("test.up", [data]);
console.log(JSON.stringify([result, link.state]));
process.exit(0);
