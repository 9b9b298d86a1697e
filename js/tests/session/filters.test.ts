// Filters, by the vectors that servers evaluate, too.
import { expect, test } from "vitest";
import type { Filter } from "../../src/session/features/subscribe.js";
import { type Tags, matches } from "../../src/session/filters.js";
import { readVectors, toValue } from "../support/vectors.js";

interface Case {
  readonly rules: readonly string[];
  readonly filter: unknown;
  readonly tags?: unknown;
  readonly matches?: boolean;
}

const { cases } = readVectors<{ cases: readonly Case[] }>("filters");
// A number that JavaScript has not.
const all = cases.filter((one) => one.tags && !JSON.stringify(one).includes("9007199254740993"));

test.each(all.map((one) => [JSON.stringify(one.filter), JSON.stringify(one.tags), one] as const))("%s of %s (SUB-15, SUB-16, SUB-17)", (_filter, _tags, one) => {
  expect(matches(toValue(one.filter) as Filter | null, toValue(one.tags) as Tags)).toBe(one.matches);
});
