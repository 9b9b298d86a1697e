// Runs the interoperability cases with our TypeScript client: node client_ours.mjs URL
import assert from "node:assert/strict";
import { CallError, ConnectionError, connect } from "../../../js/dist/index.js";

const url = process.argv[2];
const MIB = 1024 * 1024;
let link;

async function failure(call) {
  try {
    return assert.fail(`resolved to ${JSON.stringify(await call)}`);
  } catch (error) {
    assert.ok(error instanceof CallError, `${error}`);
    return error;
  }
}

async function large(size) {
  const received = await link.call("interop.bytes", [size]);
  const { data } = received.deep[0];
  assert.equal(data.length, size);
  assert.equal(data[size - 1], 255);
  assert.deepEqual(await link.call("interop.size", [{ deep: [data] }]), [size, 124716]);
}

const cases = {
  "wrong secret": async () => {
    await assert.rejects(connect(url, { secret: "wrong" }), { name: "AuthenticationError" });
  },
  hello: async () => {
    link = await connect(url, { secret: "interop" });
  },
  call: async () => {
    assert.equal(await link.call("interop.add", [1, 2.5]), 3.5);
    const value = { text: "ü ∞", list: [1, -2, null, true], map: { deep: [{}] } };
    assert.deepEqual(await link.call("interop.echo", [value]), value);
  },
  kwargs: async () => {
    assert.equal(await link.call("interop.add", [1], { b: 2, c: 3 }), 6);
  },
  "unknown method": async () => {
    const error = await failure(link.call("interop.nothing"));
    assert.deepEqual([error.code, error.data], [-32601, "interop.nothing"]);
  },
  exception: async () => {
    const error = await failure(link.call("interop.fail"));
    assert.equal(error.code, -32001);
    assert.match(error.data.exception, /meant to fail/);
  },
  "unserialisable result": async () => {
    assert.equal((await failure(link.call("interop.unserialisable"))).code, -32002);
  },
  "nested attachments": async () => {
    const value = { a: [Uint8Array.of(1, 2, 3), "text"], b: { c: Uint8Array.of(0) } };
    assert.deepEqual(await link.call("interop.echo", [value]), value);
  },
  publication: async () => {
    const received = [];
    let enough;
    const done = new Promise((resolve) => { enough = resolve; });
    const subscription = link.subscribe("interop.news", (payload) => {
      if (received.push(payload) === 12) enough();
    });
    await subscription.ready;
    assert.equal(await link.call("interop.publish", [12]), "published");
    await done;
    assert.deepEqual(received, [...Array(12).keys()].map((n) => ({ n, data: Uint8Array.of(n, n, n) })));
    await subscription.cancel();
  },
  order: async () => {
    const events = [];
    const Socket = globalThis.WebSocket ?? (await import("../../../js/node_modules/ws/wrapper.mjs")).default;
    class Listening extends Socket {
      constructor(...args) {
        super(...args);
        this.addEventListener("message", ({ data }) => {
          const match = /(rpc|publish):/.exec(Buffer.from(data).toString("latin1"));
          if (match) events.push(match[1]);
        });
      }
    }
    const other = await connect(url, { secret: "interop", WebSocket: Listening });
    let published;
    const done = new Promise((resolve) => { published = resolve; });
    await other.subscribe("interop.news", () => published()).ready;
    await other.call("interop.publish", [1]);
    await done;
    await other.close();
    assert.deepEqual(events.slice(-2), ["rpc", "publish"]);
  },
  numbers: async () => {
    assert.deepEqual(await link.call("interop.numbers"), [NaN, Infinity, -Infinity, 0.5]);
  },
  "8 MiB": () => large(8 * MIB),
  "64 MiB": () => large(64 * MIB),
  "many chunks": async () => {
    for (let round = 0; round < 20; round += 1) await large(MIB + 256 * round);
  },
  "close during a call": async () => {
    const other = await connect(url, { secret: "interop" });
    const slow = assert.rejects(other.call("interop.slow", [0.2]), ConnectionError);
    await other.close();
    await slow;
    assert.equal(await link.call("interop.add", [1, 1]), 2);
  },
};

for (const [name, run] of Object.entries(cases)) {
  let detail = "";
  const timer = setTimeout(() => { report(name, "timed out"); process.exit(1); }, 20_000);
  try {
    await run();
  } catch (error) {
    detail = `${error?.name}: ${error?.message}`.split("\n")[0];
  }
  clearTimeout(timer);
  report(name, detail);
}
process.exit(0);

function report(name, detail) {
  process.stdout.write(`${JSON.stringify({ case: name, ok: detail === "", detail })}\n`);
}
