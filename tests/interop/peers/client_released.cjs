// Runs the interoperability cases with a released npm client, or ours in its place: node client_released.cjs PACKAGE URL
// The packages expect a page around them; this much of one is enough.
const assert = require("node:assert/strict");
globalThis.WebSocket = require("ws");
globalThis.window = globalThis;
globalThis.self = globalThis;
globalThis.location = { protocol: "http:", host: "page", hostname: "page", pathname: "/", href: "http://page/" };
globalThis.document = {
  baseURI: "http://page/", location: globalThis.location,
  currentScript: { src: "http://page/script.js", tagName: "SCRIPT" }, getElementsByTagName: () => [],
};
console.error = () => {};
console.log = () => {};

const [packageName, url] = process.argv.slice(2);
const { WebsocketConnection } = require(packageName);
const MIB = 1024 * 1024;

function open(secret) {
  const connection = WebsocketConnection.newInstance({ urls: url, secret });
  return new Promise((resolve, reject) => {
    connection.onConnectionReady(() => resolve({ connection, session: connection.getSession() }));
    connection.onConnectionError((_, error) => reject(error));
    connection.onConnectionClose(() => reject(new Error("closed")));
    connection.connect();
  });
}

// The first generation hands binary over as Blob, the second as Uint8Array.
async function bytesOf(value) {
  return value instanceof Blob ? new Uint8Array(await value.arrayBuffer()) : value;
}

function pattern(size) {
  return Uint8Array.from({ length: size }, (_, index) => index & 255);
}

async function failure(promise) {
  try {
    return assert.fail(`resolved to ${JSON.stringify(await promise)}`);
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    return error;
  }
}

let session;
const cases = {
  "wrong secret": async () => {
    assert.equal((await failure(open("wrong"))).code, -32000);
  },
  hello: async () => {
    ({ session } = await open("interop"));
  },
  call: async () => {
    assert.equal(await session.call("interop.add", [1, 2.5]), 3.5);
    const value = { text: "ü ∞", list: [1, -2, null, true], map: { deep: [{}] } };
    assert.deepEqual(await session.call("interop.echo", [value]), value);
  },
  kwargs: async () => {
    assert.equal(await session.call("interop.add", [1], { b: 2, c: 3 }), 6);
  },
  "unknown method": async () => {
    assert.deepEqual(await failure(session.call("interop.nothing")), {
      code: -32601, message: "Unregistered method called", data: "interop.nothing",
    });
  },
  exception: async () => {
    const error = await failure(session.call("interop.fail"));
    assert.equal(error.code, -32001);
    assert.equal(error.data.method, "interop.fail");
    assert.match(error.data.exception, /meant to fail/);
  },
  "unserialisable result": async () => {
    assert.equal((await failure(session.call("interop.unserialisable"))).code, -32002);
  },
  "nested attachments": async () => {
    const data = session.addAttachment(pattern(1000).buffer);
    const echoed = await session.call("interop.echo", [{ a: [data, "text"], b: { c: session.addAttachment(pattern(3).buffer) } }]);
    assert.deepEqual(await bytesOf(echoed.a[0]), pattern(1000));
    assert.equal(echoed.a[1], "text");
    assert.deepEqual(await bytesOf(echoed.b.c), pattern(3));
  },
  publication: async () => {
    const received = [];
    const enough = new Promise((resolve) => {
      const subscription = session.subscribe("interop.news", ([payload]) => {
        if (received.push(payload) === 12) {
          subscription.unsubscribe();
          resolve();
        }
      });
    });
    assert.equal(await session.call("interop.publish", [12]), "published");
    await enough;
    assert.deepEqual(received.map((payload) => payload.n), [...Array(12).keys()]);
    for (const { n, data } of received) assert.deepEqual(await bytesOf(data), Uint8Array.of(n, n, n));
  },
  order: async () => {
    // On the wire, where no promise delays what was first.
    const frames = [];
    sockets.at(-1).addEventListener("message", ({ data }) => frames.push(data));
    const done = new Promise((resolve) => {
      const subscription = session.subscribe("interop.news", () => resolve(subscription.unsubscribe()));
    });
    await session.call("interop.publish", [1]);
    await done;
    const events = [];
    for (const frame of frames) {
      const text = Buffer.from(frame instanceof Blob ? await frame.arrayBuffer() : frame).toString("latin1");
      const match = /"?id.?.?.?(rpc|publish):/.exec(text);
      if (match) events.push(match[1]);
    }
    assert.deepEqual(events, ["rpc", "publish"]);
  },
  numbers: async () => {
    assert.deepEqual(await session.call("interop.numbers"), [NaN, Infinity, -Infinity, 0.5]);
  },
  "8 MiB": () => large(8 * MIB),
  "64 MiB": () => large(64 * MIB),
  "many chunks": async () => {
    for (let round = 0; round < 20; round += 1) await large(MIB + 256 * round);
  },
  "close during a call": async () => {
    const { session: other } = await open("interop");
    other.call("interop.slow", [0.2]);
    other.close();
    assert.equal(await session.call("interop.add", [1, 1]), 2);
  },
};

async function large(size) {
  const received = await session.call("interop.bytes", [size]);
  const data = await bytesOf(received.deep[0].data);
  assert.equal(data.length, size);
  assert.equal(data[size - 1], 255);
  const sent = session.addAttachment(data.slice().buffer);
  assert.deepEqual(await session.call("interop.size", [{ deep: [sent] }]), [size, 124716]);
}

// Every socket that the client opens, for the order case.
const sockets = [];
const Socket = globalThis.WebSocket;
globalThis.WebSocket = class extends Socket {
  constructor(...args) {
    super(...args);
    sockets.push(this);
  }
};

(async () => {
  for (const [name, run] of Object.entries(cases)) {
    let detail = "";
    const timer = setTimeout(() => { report(name, false, "timed out"); process.exit(1); }, 20_000);
    try {
      await run();
    } catch (error) {
      detail = String(error?.message ?? JSON.stringify(error)).split("\n")[0];
    }
    clearTimeout(timer);
    report(name, detail === "", detail);
  }
  process.exit(0);
})();

function report(name, ok, detail) {
  process.stdout.write(`${JSON.stringify({ case: name, ok, detail })}\n`);
}
process.on("unhandledRejection", () => {});
