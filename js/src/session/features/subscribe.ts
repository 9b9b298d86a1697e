import { ConnectionError, ErrorCode, ProtocolError, UnsupportedError, UsageError } from "../../errors.js";
import { refuse } from "../../options.js";
import { inform, report } from "../../report.js";
import type { Publication, UnaskedMessage } from "../../wire/messages.js";
import type { Callback, PublicationInfo } from "../callbacks.js";
import type { Feature, FeatureHost } from "./feature.js";

export type { Callback, PublicationInfo } from "../callbacks.js";

/** The value of a tag that a publication carries (SUB-8). */
export type TagValue = string | number | boolean;

/** Bounds of a tag, all of which must hold (SUB-9). Only values of one kind have an order (SUB-10). */
export interface Bounds {
  readonly gte?: string | number;
  readonly gt?: string | number;
  readonly lte?: string | number;
  readonly lt?: string | number;
  readonly ne?: TagValue;
  /** The tag is a string that begins with it (SUB-15). */
  readonly prefix?: string;
  /** Whether the tag must be present, or absent. */
  readonly exists?: boolean;
}

/** What a tag must be: a value, one of several, or within bounds (SUB-9). */
export type Condition = TagValue | readonly TagValue[] | Bounds;

/** Combinations of filters (SUB-16). */
export interface Combined {
  readonly and?: readonly Filter[];
  readonly or?: readonly Filter[];
  readonly not?: Filter;
}

/**
 * A condition for each tag that matters; all must hold (SUB-8). Or filters in `and`, `or` and `not`; in one map with conditions, write
 * those in `and`. The server evaluates filters: publications that do not match are not sent.
 */
export type Filter = (Readonly<Record<string, Condition>> & { readonly [name in keyof Combined]?: never }) | Combined;

/** `reliable`: every publication arrives (SUB-12). `latest`: an old one may give way to a newer one (SUB-13). `mixed`: a pattern's topics differ. */
export type Delivery = "reliable" | "latest" | "mixed";

/** A subscription, from {@link Link.subscribe}. */
export interface Subscription {
  readonly topic: string;
  /**
   * Resolves when the subscription is in effect: every later publication that matches arrives, none that was published before does.
   * Rejects with a CallError where the server refuses the topic or the filter, with an UnsupportedError where it does not support filters,
   * and with a ConnectionError where the connection ends first.
   */
  readonly ready: Promise<void>;
  /** How the server delivers the topic; undefined until {@link Subscription.ready}. */
  readonly delivery: Delivery | undefined;
  /**
   * Replaces the filter without missing a publication; null removes it. Rejects like {@link Subscription.ready}, and then keeps the old filter;
   * after the subscription has ended, with a UsageError.
   */
  update(filter: Filter | null): Promise<void>;
  /**
   * Ends the subscription. The callback is not called again. The promise resolves when the server has confirmed; it never rejects.
   */
  cancel(): Promise<void>;
}

/** Options of one subscription. */
export interface SubscribeOptions {
  /** Which publications to send, by their tags. Default: all of the topic. */
  readonly filter?: Filter | null | undefined;
  /** How many publications of a `latest` topic may be in flight or in the callback, from 1 to 1024. Default: adapted to the line and the callback. */
  readonly window?: number | undefined;
  /** The most publications of a `latest` topic per second, from 0.001 to 1000. Default: as many as there are. */
  readonly maxRate?: number | undefined;
}

/** Called for each publication that a callback has handled, with the subscription and how many milliseconds that took. */
export interface Settling {
  settle(subscription: number, duration: number): void;
  forget(subscription: number): void;
}

/** The subscriptions of a connection: kept by the server if it accepted `subscribe`, otherwise by topic on this side (ORD-4). */
export class Subscriptions implements Feature {
  readonly name = "subscribe";

  readonly #host: Pick<FeatureHost, "system">;
  readonly #settling: Settling;
  readonly #all = new Map<number, Entry>();
  #accepted = false;
  #lastId = 0;
  /** Counts sessions: what arrived in one is not settled in the next. */
  #session = 0;
  #ended: ConnectionError | undefined;

  constructor(host: Pick<FeatureHost, "system">, settling: Settling) {
    this.#host = host;
    this.#settling = settling;
  }

  negotiated(accepted: boolean): void {
    this.#accepted = accepted;
    this.#session += 1;
    for (const entry of this.#all.values()) entry.renew();
  }

  add(topic: string, callback: Callback, { filter, window, maxRate, ...others }: SubscribeOptions): Subscription {
    refuse(others);
    const id = ++this.#lastId;
    const entry = new Entry(topic, callback, {
      set: (chosen, repeat) => this.#set({ subscription: id, topic, filter: chosen ?? undefined, window, max_rate: maxRate }, repeat),
      end: () => this.#cancel(id),
      failed: () => this.#all.delete(id),
    });
    this.#all.set(id, entry);
    entry.start(filter);
    return entry;
  }

  /** Passes a publication to the callbacks of the matching subscriptions. */
  receive(publication: UnaskedMessage): boolean {
    if (publication.kind !== "publication") return false;
    const info = { topic: publication.topic, number: publication.number };
    for (const id of new Set(this.#named(publication))) {
      // A subscription that was cancelled, here or by the previous callback, may still be named.
      const entry = this.#all.get(id);
      if (!entry || (entry.topic !== publication.topic && !entry.topic.includes("*"))) continue;
      const begun = performance.now();
      const session = this.#session;
      entry.deliver(publication.payload, info, () => {
        if (session === this.#session && this.#all.has(id)) this.#settling.settle(id, performance.now() - begun);
      });
    }
    return true;
  }

  /** Ends all subscriptions, as the connection has ended: no callback is called any more, and new ones reject with `error`. */
  end(error: ConnectionError): void {
    this.#ended = error;
    this.#all.clear();
  }

  #named({ topic, subscriptions }: Publication): readonly number[] {
    if (!this.#accepted) return [...this.#all.keys()];
    if (!subscriptions) throw new ProtocolError(ErrorCode.invalidRequest, `a publication of ${topic} names no subscriptions (SUB-6)`);
    return subscriptions;
  }

  async #set(request: SubscribeRequest, repeat: boolean): Promise<Delivery> {
    const { subscription, topic, filter } = request;
    if (this.#ended) throw this.#ended;
    // The server would treat it as a new subscription, which could not be cancelled.
    if (!this.#all.has(subscription)) throw new UsageError(`the subscription to ${topic} has ended`);
    if (this.#accepted) {
      const result = await this.#host.system("subscribe", request, repeat);
      return (result as { delivery?: Delivery } | null)?.delivery ?? "reliable";
    }
    if (topic.includes("*") || (filter && Object.keys(filter).length > 0)) {
      throw new UnsupportedError(`cannot filter ${topic}: this server sends everything to everybody`);
    }
    return "reliable";
  }

  async #cancel(subscription: number): Promise<void> {
    if (!this.#all.delete(subscription) || !this.#accepted) return;
    this.#settling.forget(subscription);
    // The subscription has ended, whether or not the server can be notified.
    await this.#host.system("unsubscribe", { subscription }).catch(() => undefined);
  }
}

/** The argument of `wslink.subscribe` (SUB-2, FLOW-6). */
interface SubscribeRequest {
  readonly subscription: number;
  readonly topic: string;
  readonly filter: Filter | undefined;
  readonly window: number | undefined;
  readonly max_rate: number | undefined;
}

interface Actions {
  /** @param repeat - whether it is repeated in a new session. */
  set(filter: Filter | null | undefined, repeat: boolean): Promise<Delivery>;
  end(): Promise<void>;
  failed(): void;
}

class Entry implements Subscription {
  /** Neither a plain object, which Vue would wrap wherever it is kept, nor a value that can be sent. */
  readonly [Symbol.toStringTag] = "Subscription";
  delivery: Delivery | undefined;

  readonly #callback: Callback;
  readonly #actions: Actions;
  #ready: Promise<void> = Promise.resolve();
  #watched = false;
  /** The filter that the server has accepted, together with `delivery`. */
  #filter: Filter | null | undefined;
  #ended: Promise<void> | undefined;

  constructor(
    readonly topic: string,
    callback: Callback,
    actions: Actions,
  ) {
    this.#callback = callback;
    this.#actions = actions;
  }

  get ready(): Promise<void> {
    this.#watched = true;
    return this.#ready;
  }

  start(filter: Filter | null | undefined): void {
    this.#ready = this.update(filter);
    this.#ready.catch((error: unknown) => this.#fail(error));
  }

  async update(filter: Filter | null | undefined): Promise<void> {
    // An undefined condition would not be sent, and everything would match.
    if (filter && lacks(filter)) throw new UsageError("a filter's condition is undefined");
    this.delivery = await this.#actions.set(filter, true);
    this.#filter = filter;
  }

  /** A new session knows nothing of what was in effect in the previous one. */
  renew(): void {
    if (!this.delivery) return;
    this.#actions.set(this.#filter, false).then(
      (delivery) => (this.delivery = delivery),
      (error: unknown) => {
        // It is repeated in the next session if this one has ended in the meantime.
        if (error instanceof ConnectionError) return;
        this.#watched = false;
        this.#fail(error);
      },
    );
  }

  cancel(): Promise<void> {
    this.#ended ??= this.#actions.end();
    return this.#ended;
  }

  /** Calls the callback, and `settled` when its result has settled. */
  deliver(payload: unknown, info: PublicationInfo, settled: () => void): void {
    const settling = inform(this.#callback, payload, info);
    if (settling) void settling.then(settled);
    else settled();
  }

  #fail(error: unknown): void {
    this.#actions.failed();
    // An application that never looks at `ready` would wait for publications in vain.
    if (!this.#watched && !(error instanceof ConnectionError)) report(error);
  }
}

/** Whether anything in a filter is undefined, up to the depth that servers accept. */
function lacks(value: unknown, levels = 24): boolean {
  return value === undefined || (levels > 0 && Object(value) === value && Object.values(value as object).some((one) => lacks(one, levels - 1)));
}
