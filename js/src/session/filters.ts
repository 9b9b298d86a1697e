// Filters as a server evaluates them (SUB-8 to SUB-17), for pages that show what a filter does. No part of client.js.
import type { Condition, Filter, TagValue } from "./features/subscribe.js";

/** The tags of a publication. */
export type Tags = Readonly<Record<string, TagValue>>;

/** Whether a publication with `tags` matches a filter that a server accepts; null, and one without conditions, match everything. */
export function matches(filter: Filter | null, tags: Tags): boolean {
  return Object.entries(filter ?? {}).every(([name, condition]: [string, unknown]) => {
    if (name === "and") return (condition as Filter[]).every((one) => matches(one, tags));
    if (name === "or") return (condition as Filter[]).some((one) => matches(one, tags));
    if (name === "not") return !matches(condition as Filter, tags);
    return holds(condition as Condition, Object.hasOwn(tags, name) ? tags[name] : undefined);
  });
}

function holds(condition: Condition, tag: TagValue | undefined): boolean {
  if (typeof condition !== "object") return tag === condition;
  if (isList(condition)) return condition.some((value) => tag === value);
  return Object.entries(condition).every(([operator, operand]: [string, TagValue]) => {
    if (operator === "exists") return (tag !== undefined) === operand;
    if (tag === undefined) return false;
    if (operator === "ne") return tag !== operand;
    if (operator === "prefix") return typeof tag === "string" && tag.startsWith(operand as string);
    if (typeof tag !== typeof operand || typeof tag === "boolean" || Number.isNaN(tag)) return false;
    const order = compared(tag, operand);
    return operator.startsWith("g") ? order > 0 || (operator === "gte" && order === 0) : order < 0 || (operator === "lte" && order === 0);
  });
}

const isList = (condition: Condition): condition is readonly TagValue[] => Array.isArray(condition);

/** Compares strings by code points, unlike `<`. */
function compared(tag: TagValue, operand: TagValue): number {
  if (typeof tag !== "string" || typeof operand !== "string") return Number(tag > operand) - Number(tag < operand);
  const [left, right] = [Array.from(tag), Array.from(operand)];
  const at = left.findIndex((character, index) => character !== right[index]);
  if (at < 0) return left.length - right.length;
  return (left[at]?.codePointAt(0) ?? 0) - (right[at]?.codePointAt(0) ?? -1);
}
