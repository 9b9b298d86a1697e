// What the compiler keeps out. Each line is an error; without it, the comment above it is one.
import type { Api } from "./api.js";

export function wrong(api: Api): void {
  // @ts-expect-error an argument of the wrong type
  void api.terrain.light({ azimuth: "315" });
  // @ts-expect-error an argument that the method does not have
  void api.terrain.light({ azimuth: 315, height: 3 });
  // @ts-expect-error a tag that the topic does not have
  api.terrain.tile.subscribe(() => undefined, { filter: { column: 3 } });
  // @ts-expect-error a value that the tag cannot have
  api.terrain.tile.subscribe(() => undefined, { filter: { kind: "mud" } });
  // @ts-expect-error a payload of another shape
  api.terrain.tile.subscribe((tile: { column: number }) => tile.column);
}
