// Decoding in Node. Usage: node.mjs WINDOWS CLIENT. Prints client to size to publications per second as JSON. One client to a process:
// each collects its own garbage.
import * as client from "../../js/dist/client.js";
import { ours, released } from "./clients.mjs";
import { measure } from "./measure.mjs";

// The released client expects a page around it.
const location = { protocol: "http:", hostname: "localhost", port: "", pathname: "/" };
const document = { currentScript: { tagName: "SCRIPT", src: "http://localhost/wslink.js" } };
Object.assign(globalThis, { self: globalThis, window: { location }, document });
const { default: npm } = await import("../../js/node_modules/wslink2/dist/wslink.js");
const { default: own } = await import("../../js/cjs/index.js");

// On a core, in all threads: Blobs are read in others.
const processor = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};
const clients = { "ours v2": ours(client), "compat v2": released(own), "npm 2.5.0": released(npm) };
const [windows, name] = process.argv.slice(2);
console.log(JSON.stringify(await measure({ [name]: clients[name] }, Number(windows), processor)));
