// Has a released npm client ask for several large results at once: node many_results.cjs PACKAGE URL COUNT SIZE
const assert = require("node:assert/strict");
globalThis.WebSocket = require("ws");
globalThis.window = globalThis;
globalThis.self = globalThis;
globalThis.location = { protocol: "http:", host: "page", hostname: "page", pathname: "/", href: "http://page/" };
globalThis.document = {
  baseURI: "http://page/", location: globalThis.location,
  currentScript: { src: "http://page/script.js", tagName: "SCRIPT" }, getElementsByTagName: () => [],
};

const [packageName, url, count, size] = process.argv.slice(2);
const connection = require(packageName).WebsocketConnection.newInstance({ urls: url, secret: "interop" });
connection.onConnectionReady(async () => {
  const session = connection.getSession();
  const results = await Promise.all(Array.from({ length: Number(count) }, () => session.call("interop.bytes", [Number(size)])));
  for (const { deep } of results) assert.equal(deep[0].data.length ?? deep[0].data.size, Number(size));
  process.exit(0);
});
connection.onConnectionError((_, error) => process.exit(2));
connection.onConnectionClose(() => process.exit(3));
connection.connect();
