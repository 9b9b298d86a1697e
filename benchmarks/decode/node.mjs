// Decoding in Node: prints client to size to microseconds as JSON.
import * as client from "../../js/dist/client.js";
import { ours, released } from "./clients.mjs";
import { measure } from "./measure.mjs";

// The released client expects a page around it.
const location = { protocol: "http:", hostname: "localhost", port: "", pathname: "/" };
const document = { currentScript: { tagName: "SCRIPT", src: "http://localhost/wslink.js" } };
Object.assign(globalThis, { self: globalThis, window: { location }, document });
const { default: npm } = await import("../../js/node_modules/wslink2/dist/wslink.js");
const { default: own } = await import("../../js/dist/wslink.cjs");

// Microseconds on a core, of all threads: it reads Blobs in others.
const processor = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};
const results = await measure({ ours: ours(client), "released API": released(own), "2.5.0": released(npm) }, processor);
console.log(JSON.stringify(results));
