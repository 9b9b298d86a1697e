/** The most characters of one event: the largest that launchers send holds the end of a log, 4 kB. */
const MAX_EVENT = 2 ** 20;

/** What a launcher says of a start, as one server-sent event (docs/launcher.md). */
export interface StartEvent {
  /** `starting`, `waiting`, `ready` or `failed`. */
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What a session that is not ready yet is at. */
export type StartProgress =
  | { readonly state: "starting" }
  /** `for` says what it waits for, such as "in the queue, position 3"; it is empty when it waits no more. */
  | { readonly state: "waiting"; readonly for: string };

/** Cuts a stream of server-sent events, which arrives in pieces, into events. */
export class EventReader {
  #rest = "";

  /** The events that `text` completes. What is no event of a launcher comes as `failed`, as if the start had. */
  read(text: string): StartEvent[] {
    const blocks = (this.#rest + text).split(/\r?\n\r?\n/);
    this.#rest = blocks.pop() ?? "";
    return this.#rest.length > MAX_EVENT ? [broken("is too large")] : blocks.flatMap(parse);
  }
}

/** How far a start is, for those events that say so. */
export function progressOf({ name, data }: StartEvent): StartProgress | undefined {
  if (name === "starting") return { state: name };
  return name === "waiting" ? { state: name, for: String(data.for) } : undefined;
}

function parse(block: string): StartEvent[] {
  const fields = Object.fromEntries(block.split(/\r?\n/).map((line) => line.split(/: ?(.*)/))) as { event?: string; data?: string };
  if (!fields.event) return []; // a comment, which keeps the connection alive
  try {
    return [{ name: fields.event, data: Object(JSON.parse(fields.data ?? "")) as StartEvent["data"] }];
  } catch {
    return [broken("is no JSON")];
  }
}

function broken(what: string): StartEvent {
  return { name: "failed", data: { status: 0, error: `an event of the launcher ${what}` } };
}
