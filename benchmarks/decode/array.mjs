// A NumPy array from a server to a page's typed array. Usage: array.mjs URL SECRET BYTES COUNT [legacy]. Prints the figures as JSON.
import { resultsOf } from "./browser.mjs";

const [url, secret, bytes, count, legacy = ""] = process.argv.slice(2);
console.log(JSON.stringify(await resultsOf("array.html", { url, secret, bytes, count, legacy })));
