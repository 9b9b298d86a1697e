// What crosses a page's WebSocket, as the browser's network log has it, decoded by a MessagePack library that is not the client's own.

import assert from "node:assert/strict";
import { ExtensionCodec, decode } from "@msgpack/msgpack";

const HEADER = 12; // G2-2
const PATIENCE = 60_000; // milliseconds

const extensionCodec = new ExtensionCodec();
extensionCodec.register({
  type: 1, // ARR-1
  encode: () => null,
  decode(payload) {
    const head = payload[0];
    const [dtype, ...shape] = decode(payload.subarray(1, 1 + head));
    assert.equal(dtype, "|u1"); // all that this demo sends, beside profiles
    return { dtype, shape, data: payload.subarray(payload.length - shape.reduce((size, length) => size * length, 1)) };
  },
});

export class Wire {
  /** Messages in the order in which they passed: { sent, message, began }. Of pixels only the newest of each tile are kept. */
  log = [];
  /** The newest publication of each tile, by level/row/col. */
  tiles = new Map();
  #waiting = new Set();
  #partial = new Map();

  static async of(page) {
    const wire = new Wire();
    const session = await page.context().newCDPSession(page);
    await session.send("Network.enable");
    session.on("Network.webSocketFrameSent", ({ response }) => wire.#add(true, response));
    session.on("Network.webSocketFrameReceived", ({ response }) => wire.#add(false, response));
    return wire;
  }

  #add(sent, { opcode, payloadData }) {
    if (opcode !== 2) return;
    const { bytes, began } = this.#join(sent, Buffer.from(payloadData, "base64"));
    const message = bytes && read(bytes);
    if (!message || Array.isArray(message)) return; // messages of extensions are arrays (EXT-4)
    if (!sent && message.id.startsWith("publish:terrain.tile:")) this.#keep(message);
    this.log.push({ sent, message, began });
    for (const check of this.#waiting) check();
  }

  /** A message, and how long the log was as it began, once all of its chunks have passed, which come in order, between those of other messages (G2-2, LANE-2). */
  #join(sent, frame) {
    const key = `${sent}/${frame.readUInt32LE(0)}`;
    const { chunks, began } = this.#partial.get(key) ?? { chunks: [], began: this.log.length };
    chunks.push(frame.subarray(HEADER));
    const bytes = Buffer.concat(chunks);
    if (bytes.length < frame.readUInt32LE(8)) {
      this.#partial.set(key, { chunks, began });
      return {};
    }
    this.#partial.delete(key);
    return { bytes, began };
  }

  #keep(message) {
    const { level, row, col } = message.result;
    this.tiles.set(`${level}/${row}/${col}`, message.result);
    message.result = { ...message.result, pixels: undefined };
  }

  /** Waits until `found()` is truthy, and returns it. It is tried after every message. */
  until(found, what) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => done(reject, new Error(`in vain: ${what}`)), PATIENCE);
      const done = (settle, value) => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        settle(value);
      };
      const check = () => {
        const value = found();
        if (value) done(resolve, value);
      };
      this.#waiting.add(check);
      check();
    });
  }

  /** The publications of tiles since the log was `from` long, for one subscription. */
  published(subscription, from = 0) {
    return this.log
      .slice(from)
      .filter(({ sent, message }) => !sent && message.id.startsWith("publish:terrain.tile:") && message.subscriptions.includes(subscription))
      .map(({ message }) => message.result);
  }

  /**
   * Tiles that were sent though no filter in force wanted them. While an update is under way, its filter and the one before it are both in force; a page
   * may update its filter by itself, such as to do without a level where the machine is slow.
   */
  strays(subscription) {
    const updates = this.regions().filter((update) => update.subscription === subscription);
    const wants = ({ level, row, col }, tile) =>
      tile.level === level && tile.row >= row.gte && tile.row < row.lt && tile.col >= col.gte && tile.col < col.lt;
    return this.log.flatMap(({ sent, message, began }, index) => {
      if (sent || !message.id.startsWith("publish:terrain.tile:") || !message.subscriptions.includes(subscription)) return [];
      const inForce = updates.filter((update, n) => update.index < index && !(updates[n + 1]?.answer < began));
      return inForce.some(({ filter }) => wants(filter, message.result)) ? [] : [message.result];
    });
  }

  /** The calls that subscribe to tiles by region: { index, id, subscription, filter, answer }, `answer` being the index of the answer. */
  regions() {
    return [...this.log.entries()]
      .filter(([, { sent, message }]) => sent && message.method === "wslink.subscribe" && message.args[0].filter?.row)
      .map(([index, { message }]) => ({ index, id: message.id, ...message.args[0], answer: this.#answer(message.id) }));
  }

  #answer(id) {
    const index = this.log.findIndex(({ sent, message }) => !sent && message.id === id);
    return index < 0 ? undefined : index;
  }
}

/** A message; undefined for the answers to `terrain.profile`, whose arrays are of another type. */
function read(bytes) {
  try {
    return decode(bytes, { extensionCodec });
  } catch (error) {
    if (error.code === "ERR_ASSERTION") return undefined;
    throw error;
  }
}
