// What a typed client allows. It is compiled, and then run against the server.
import assert from "node:assert/strict";
import { NDArray } from "wslink";
import { type Light, TooSteep, connectApi } from "./api.js";

const url = process.argv[2] ?? "";
const asked: string[] = [];
const api = await connectApi(url, {
  secret: "secret",
  handlers: {
    view: {
      confirm: ({ question, light }) => {
        asked.push(`${question} ${light.names.length} ${light.color}`);
        return light.altitude > 20;
      },
    },
  },
});

const light: Light = await api.terrain.light({ azimuth: 315, altitude: 40 }, { timeout: 2000 });
assert.deepEqual(light, { azimuth: 315, altitude: 40, color: "red", names: [] });
assert.equal((await api.terrain.light({ azimuth: 1, color: "blue" })).color, "blue");
assert.equal((await api.terrain.relight({ light: { azimuth: 3 }, light2: null }))?.altitude, 30);
const error: unknown = await api.terrain.light({ azimuth: 1, altitude: -3 }).catch((error: unknown) => error);
assert(error instanceof TooSteep);
const most: number = error.data.most;
const code: 7 = error.code;
assert.deepEqual([most, code, error.name], [0, 7, "TooSteep"]);

const tiles: [number, number][] = [];
const subscription = api.terrain.tile.subscribe(
  (tile, { number }) => {
    const heights: Float32Array = tile.heights.data;
    const [rows, columns]: readonly [number, number] = tile.heights.shape;
    tiles.push([tile.row, heights.length + rows + columns + 0 * number]);
  },
  { filter: { row: { gte: 3 }, kind: ["rock", "sand"] } },
);
await subscription.ready;
await api.terrain();
while (tiles.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
assert.deepEqual(tiles[0], [3, 8]);
await subscription.update({ kind: "rock" });
await subscription.update({ or: [{ kind: { ne: "rock" } }, { not: { row: 3 } }] });
await subscription.cancel();
api.log.subscribe((line: unknown) => line, { filter: { anything: 3 } });

const echo = await api.values.echo({
  when: new Date(0),
  big: 2n ** 62n,
  sizes: new Map([[3, [1, 2]]]),
  pair: [3, "b"],
  data: new Uint8Array([1]),
  mode: 3,
});
assert.deepEqual(echo["sizes"], { 3: [1, 2] });
assert.deepEqual(echo["big"], 2n ** 62n);
const wide: bigint[] = await api.values.big({ value: 5n });
assert.deepEqual(wide, [5n, 3n]);
assert.deepEqual(await api.values.many({ first: 1, second: 3, values: [4, 5], options: { deep: true } }), {
  first: 1,
  second: 3,
  sum: 9,
  options: 1,
});
assert.equal((await api.values.many({ first: 1 }))["second"], 2);
await assert.rejects(api.values.many({ first: 1, values: [4] }), /second is needed/);
const tree = await api.values.tree({ tree: { item: { name: "a" }, children: [{ item: { name: "b" } }] } });
const count: number = tree.children[0]?.item.count ?? 0;
assert.equal(count, 1);

const points = await api.mesh.scale({ points: new NDArray(new Float32Array(6).fill(1), [2, 3]), by: new Float64Array([2]) });
const three: 3 = points.shape[1];
assert.deepEqual([three, ...points.data], [3, 2, 2, 2, 2, 2, 2]);
const parts: number[] = [];
for await (const { part, whole } of api.mesh.refine({ level: 3 }, { window: 2 })) {
  const size: bigint = whole;
  parts.push(part + Number(size));
}
assert.deepEqual(parts, [3, 4, 5]);
async function* numbers(): AsyncGenerator<number> {
  for (const one of [1, 2, 3]) yield await Promise.resolve(one);
}
assert.equal(await api.mesh.upload({ parts: numbers() }), 6);
assert.equal(await api.terrain.ask(), true);
assert.deepEqual(asked, ["Sure? 0 red"]);
assert.equal(api.$link.state, "open");
await api.$link.close();
console.log("right");
