// What a typed client does not allow. It is compiled, not run: each error is expected, and each that is missing is one.
import { NDArray } from "wslink";
import { type Api, type Light, type LightInput, TooSteep, connectApi } from "./api.js";

declare const api: Api;

// names
// @ts-expect-error there is no such method
void api.terrain.lights({ azimuth: 3 });
// @ts-expect-error there is no such argument
void api.terrain.light({ azimuth: 3, latitude: 3 });
// @ts-expect-error there is no such option
void api.terrain.light({ azimuth: 3 }, { time: 3 });
// @ts-expect-error there is no such topic
api.terrain.tiles.subscribe(() => undefined);

// arguments
// @ts-expect-error one is missing
void api.terrain.light({});
// @ts-expect-error all are missing
void api.terrain.light();
// @ts-expect-error text for a number
void api.terrain.light({ azimuth: "3" });
// @ts-expect-error no such color
void api.terrain.light({ azimuth: 3, color: "green" });
// @ts-expect-error null for a number
void api.terrain.light({ azimuth: null });
// @ts-expect-error arguments have names
void api.terrain.light(315);
// @ts-expect-error a tuple is longer
void api.values.echo({ pair: [1] });
// @ts-expect-error not a literal
void api.values.echo({ mode: "slow" });
// @ts-expect-error a number is not exact
void api.values.big({ value: 3 });
// @ts-expect-error keys are numbers
void api.values.echo({ sizes: { three: [1] } });
// @ts-expect-error a method without arguments
void api.application.exit({ now: true });

// arrays
// @ts-expect-error 64 bits for 32
void api.mesh.scale({ points: new NDArray(new Float64Array(6), [2, 3]), by: new Float64Array(1) });
// @ts-expect-error two columns for three
void api.mesh.scale({ points: new NDArray(new Float32Array(6), [3, 2]), by: new Float64Array(1) });
// @ts-expect-error one dimension for two
void api.mesh.scale({ points: new NDArray(new Float32Array(6), [6]), by: new Float64Array(1) });
// @ts-expect-error a list is no array
void api.mesh.scale({ points: [[1, 2, 3]], by: new Float64Array(1) });

// results
// @ts-expect-error a default makes an input optional, never an output
const output: Light = { azimuth: 3 };
const input: LightInput = { azimuth: 3 };
// @ts-expect-error a field that is not there
void api.terrain.light({ azimuth: 3 }).then(({ latitude }) => latitude);
// @ts-expect-error it may be null
void api.terrain.relight({ light: input }).then(({ azimuth }) => azimuth);
// @ts-expect-error not text
void api.terrain.light({ azimuth: 3 }).then(({ azimuth }): string => azimuth);
// @ts-expect-error a stream is no promise
void api.mesh.refine({ level: 3 }).then(() => undefined);

// topics
// @ts-expect-error no such tag
api.terrain.tile.subscribe(() => undefined, { filter: { col: 3 } });
// @ts-expect-error text for a number
api.terrain.tile.subscribe(() => undefined, { filter: { row: "3" } });
// @ts-expect-error a bound of another kind
api.terrain.tile.subscribe(() => undefined, { filter: { row: { gte: "3" } } });
// @ts-expect-error no such value
api.terrain.tile.subscribe(() => undefined, { filter: { kind: ["mud"] } });
// @ts-expect-error no such operator
api.terrain.tile.subscribe(() => undefined, { filter: { row: { between: 3 } } });
// @ts-expect-error a payload without such a field
api.terrain.tile.subscribe(({ column }) => column);
// @ts-expect-error a payload of another type
api.terrain.tile.subscribe((tile: { row: string }) => tile);
// @ts-expect-error no such tag, later
void api.terrain.tile.subscribe(() => undefined).update({ col: 3 });

// errors
declare const error: TooSteep;
// @ts-expect-error no such data
void error.data.least;
// @ts-expect-error another code
const code: 8 = error.code;

// page methods
// @ts-expect-error no such page method
void connectApi("", { handlers: { view: { refuse: () => true } } });
// @ts-expect-error another result
void connectApi("", { handlers: { view: { confirm: () => 3 } } });
// @ts-expect-error another argument
void connectApi("", { handlers: { view: { confirm: ({ answer }) => Boolean(answer) } } });

void [output, code];
