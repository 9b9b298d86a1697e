import { parse } from "es-module-lexer/js";
import { ownPath } from "./messages.js";

/** The types of imports that `parse` tells of: its ImportType, of which its build without WebAssembly has no values. */
const DYNAMIC = 2;
const IMPORT_META = 3;

/** A module whose imports name absolute URLs. */
export interface Rewritten {
  readonly source: string;
  /** The URLs of the page's own modules that it imports, statically or by a constant name. */
  readonly imports: readonly string[];
}

/**
 * A module that may be loaded from any URL and yet is, to itself and by what it imports, the one at `url`.
 *
 * @param names - of an import map: what bare specifiers stand for.
 */
export function rewrite(source: string, url: string, names: ReadonlyMap<string, string>): Rewritten {
  const imports: string[] = [];
  let result = `import.meta.url=${JSON.stringify(url)};`;
  let from = 0;
  for (const { n: specifier, t: type, s: start, e: end } of parse(source)[0]) {
    if (specifier === undefined || isOf(type, IMPORT_META)) continue;
    const target = resolve(specifier, url, names);
    if (target === undefined || ownPath(target) === undefined) continue;
    imports.push(target);
    const quoted = isOf(type, DYNAMIC) ? JSON.stringify(target) : target;
    result += source.slice(from, start) + quoted;
    from = end;
  }
  return { source: result + source.slice(from), imports };
}

const isOf = (type: number, which: number): boolean => type === which;

function resolve(specifier: string, url: string, names: ReadonlyMap<string, string>): string | undefined {
  const named = names.get(specifier);
  if (named !== undefined) return named;
  if (!/^(\.{0,2}\/|[a-z]+:)/i.test(specifier)) return undefined;
  try {
    return new URL(specifier, url).href;
  } catch {
    return undefined;
  }
}
