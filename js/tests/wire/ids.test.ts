import { expect, test } from "vitest";
import { parseId } from "../../src/wire/ids.js";
import { readVectors } from "../support/vectors.js";

const vectors = readVectors<{ valid: { id: string }[]; invalid: { id: unknown }[] }>("ids");

test.each(vectors.valid)("takes $id apart", ({ id, ...parts }) => {
  expect(parseId(id)).toEqual(parts);
});

test.each(vectors.invalid)("refuses $id", ({ id }) => {
  expect(parseId(id)).toBeUndefined();
});
