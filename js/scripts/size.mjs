// Fails where the browser bundle is larger than it may be. Pages load it before anything else, so its size is part of its tests.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

// 10,000 until errors named the place of a value, Blobs were read piece by piece, and hello negotiated from a list of features; 12,000 until
// the client told what it has drawn, and paced what it sends; 14,000 until a link outlived its connection, and
// told callers how far their arguments and results have come; 17,500 until it told the server what its callers have given up; 18,000 until it
// served calls of the server, and told callers of their progress; 18,900 until it streamed results and
// arguments, which takes 1,100; 20,400 until features could stand around calls, the reading of messages and callbacks, which keeps traces in an
// entry of their own, and a large message went on where a cut had ended it; 20,900 until busy pages acknowledged all of what they receive at once.
const LIMIT = 21_000;
const bundle = fileURLToPath(new URL("../dist/client.js", import.meta.url));
if (!existsSync(bundle)) throw new Error("dist/client.js is missing: npm run build");
const size = gzipSync(readFileSync(bundle), { level: 9 }).length;
console.log(`client.js: ${size} bytes minified and gzipped, of ${LIMIT} allowed`);
if (size > LIMIT) process.exitCode = 1;
