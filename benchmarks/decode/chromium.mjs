// Decoding in Chromium. Usage: chromium.mjs WINDOWS. Prints client to size to publications per second as JSON.
import { resultsOf } from "./browser.mjs";

console.log(JSON.stringify(await resultsOf("decode.html", { windows: process.argv[2] })));
