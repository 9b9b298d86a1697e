// Plays the publications of a recording to one connection, at its pace.
import { type Tags, matches } from "../session/filters.js";
import type { Filter, TagValue } from "../session/features/subscribe.js";
import type { Asked, Shown, Tape } from "./tape.js";

/** A subscription of the page. */
export interface Wish {
  readonly id: number;
  /** A topic, or a pattern (SUB-18). */
  readonly topic: string;
  readonly filter: Filter | null;
}

/** How fast recordings are played, for all players of a page. */
export class Pace {
  /** Called at every change, before it has an effect. */
  readonly changing = new Set<() => void>();
  /** Called to send the next publications at once. */
  readonly stepping = new Set<(count: number) => void>();
  #speed: number;

  constructor(
    speed: number,
    readonly loop: boolean,
  ) {
    this.#speed = speed;
  }

  /** Seconds of the recording per second; 0 for only in steps. */
  get speed(): number {
    return this.#speed;
  }

  set speed(speed: number) {
    for (const changing of this.changing) changing();
    this.#speed = speed;
    this.step(0);
  }

  step(count: number): void {
    for (const step of this.stepping) step(count);
  }
}

/** The most publications that are sent in one turn of the event loop. */
const TURN = 32;
/** Milliseconds between the end and the next beginning. */
const REST = 1000;

/** Milliseconds that a timer can wait. */
export const LONGEST = 2 ** 31 - 1;

export class Player {
  /** Publications that were sent. */
  position = 0;
  readonly #tape: Tape;
  readonly #pace: Pace;
  readonly #send: (shown: Shown, ids: number[]) => void;
  readonly #ask: (asked: Asked) => void;
  /** Calls of the page that were made. */
  #asked = 0;
  readonly #wishes = new Map<number, Wish>();
  /** Topics that are "reliable", of which everything has been sent. */
  readonly #whole = new Set<string>();
  /** Seconds of the recording at `#since` (milliseconds). */
  #time: number;
  #since = 0;
  #begun = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #changing = (): void => this.#rebase(this.time);
  readonly #step = (count: number): void => this.step(count);

  constructor(tape: Tape, pace: Pace, send: (shown: Shown, ids: number[]) => void, ask: (asked: Asked) => void) {
    this.#tape = tape;
    this.#pace = pace;
    this.#send = send;
    this.#ask = ask;
    this.#time = tape.shown[0]?.time ?? 0;
    pace.changing.add(this.#changing);
    pace.stepping.add(this.#step);
  }

  /** Where it is, in seconds of the recording. */
  get time(): number {
    const { speed } = this.#pace;
    return this.#begun && Number.isFinite(speed) ? this.#time + ((performance.now() - this.#since) / 1000) * speed : this.#time;
  }

  /** The page has subscribed, or has replaced a filter: begins, or sends what it would have got. */
  subscribe(wish: Wish): void {
    this.#wishes.set(wish.id, wish);
    for (const one of this.#before(wish)) this.#send(one, [wish.id]);
    this.begin();
  }

  unsubscribe(id: number): void {
    this.#wishes.delete(id);
  }

  /** Begins, where it has not. */
  begin(): void {
    if (this.#begun) return;
    this.#rebase(this.#time);
    this.#begun = true;
    this.#wait();
  }

  /** Sends the next publications at once, whatever the speed. */
  step(count: number): void {
    if (!this.#begun) return;
    for (let left = count; left > 0 && this.position < this.#tape.shown.length; left--) this.#rebase(Math.max(this.#next(), this.time));
    this.#wait();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#pace.changing.delete(this.#changing);
    this.#pace.stepping.delete(this.#step);
  }

  #rebase(time: number): void {
    this.#time = time;
    this.#since = performance.now();
  }

  /** What was published before a subscription: the newest of each of its tags of a "latest" topic, all of a "reliable" one. */
  #before(wish: Wish): Iterable<Shown> {
    const found = new Map<unknown, Shown>();
    for (const one of this.#tape.shown.slice(0, this.position)) {
      const latest = this.#tape.topics.get(one.topic) === "latest";
      if (!wants(wish, one) || (!latest && this.#whole.has(one.topic))) continue;
      const key = latest ? `${one.topic} ${JSON.stringify(Object.entries(tagsOf(wish, one)).sort())}` : one;
      found.delete(key);
      found.set(key, one);
    }
    for (const topic of this.#tape.topics.keys()) if (covers(wish.topic, topic)) this.#whole.add(topic);
    return found.values();
  }

  /** When the next publication is due, or the next call of the page; undefined at the end. */
  get #due(): number | undefined {
    const times = [this.#tape.shown[this.position]?.time, this.#tape.asked[this.#asked]?.time].filter((time) => time !== undefined);
    return times.length ? Math.min(...times) : undefined;
  }

  /** Calls the page as it was called before `time`. */
  #askUntil(time: number): void {
    for (let next = this.#tape.asked[this.#asked]; next && next.time <= time; next = this.#tape.asked[this.#asked]) {
      this.#asked += 1;
      this.#ask(next);
    }
  }

  /** Sends the next publication, and returns its time. */
  #next(): number {
    const one = this.#tape.shown[this.position++] as Shown;
    this.#askUntil(one.time);
    const ids = [...this.#wishes.values()].filter((wish) => wants(wish, one)).map(({ id }) => id);
    this.#send(one, ids);
    return one.time;
  }

  #wait(): void {
    clearTimeout(this.#timer);
    const { speed, loop } = this.#pace;
    const due = this.#due;
    if (due !== undefined && speed > 0) this.#timer = setTimeout(() => this.#play(), Math.min(Math.max(((due - this.time) / speed) * 1000, 0), LONGEST));
    else if (due === undefined && loop && speed > 0) this.#timer = setTimeout(() => this.#again(), REST);
  }

  #play(): void {
    for (let sent = 0; sent < TURN; sent++) {
      const due = this.#due;
      if (due === undefined || (this.#pace.speed !== Infinity && due > this.time)) break;
      this.#askUntil(due);
      const time = this.#tape.shown[this.position]?.time === due ? this.#next() : due;
      if (this.#pace.speed === Infinity) this.#time = time;
    }
    this.#wait();
  }

  #again(): void {
    this.position = this.#asked = 0;
    this.#rebase(this.#tape.shown[0]?.time ?? 0);
    this.#wait();
  }
}

/** Whether a publication is for a subscription; one of which nothing is known that the filter asks for is. */
function wants(wish: Wish, shown: Shown): boolean {
  if (!covers(wish.topic, shown.topic)) return false;
  const tags = tagsOf(wish, shown);
  return (shown.tags === null && Object.keys(tags).length === 0) || matches(wish.filter, tags);
}

/** The tags of a publication; where they are not known, what its payload says of those that the filter asks for, if it says something of all. */
function tagsOf({ filter }: Wish, { tags, entries }: Shown): Tags {
  if (tags) return tags;
  const names = namesOf(filter);
  return names.every((name) => Object.hasOwn(entries, name)) ? Object.fromEntries(names.map((name) => [name, entries[name] as TagValue])) : {};
}

/** The tags that a filter asks for. */
function namesOf(filter: Filter | null): string[] {
  return Object.entries(filter ?? {}).flatMap(([name, condition]: [string, unknown]) => {
    if (name === "not") return namesOf(condition as Filter);
    return name === "and" || name === "or" ? (condition as Filter[]).flatMap(namesOf) : [name];
  });
}

/** Whether a topic, or a pattern, stands for a topic (SUB-18). */
export function covers(pattern: string, topic: string): boolean {
  if (!pattern.includes("*")) return pattern === topic;
  const expression = pattern.replaceAll(".", "\\.").replaceAll("**", "§").replaceAll("*", "\\w+").replace("§", ".+");
  return new RegExp(`^${expression}$`).test(topic);
}
