import { UnsupportedError, UsageError } from "../../errors.js";
import { Inlet, Outlet, isSource } from "../../rpc/streams.js";
import { StreamKey } from "../../wire/extensions.js";
import type { UnaskedMessage } from "../../wire/messages.js";
import { isCount } from "../numbering.js";
import type { Feature, FeatureHost } from "./feature.js";

/** Types of messages (EXT-4). */
const ITEM = 3;
const END = 4;
export const CREDIT = 5;

const MAX_KEY = 127;

/** The streams of one call: its result, and arguments by their keys. */
interface CallStreams {
  readonly inlet?: Inlet;
  readonly outlets: readonly Outlet[];
}

/** Arguments of a call, in which streams are replaced by keys. */
interface Lifted {
  readonly args: readonly unknown[];
  readonly kwargs: object | undefined;
  readonly outlets: readonly Outlet[];
}

/** Streamed results and streamed arguments (STR). */
export class Streams implements Feature {
  readonly name = "stream";

  readonly #host: Pick<FeatureHost, "notify" | "post">;
  readonly #calls = new Map<string, CallStreams>();
  #active = false;

  constructor(host: Pick<FeatureHost, "notify" | "post">) {
    this.#host = host;
  }

  negotiated(accepted: boolean): void {
    this.#active = accepted;
  }

  /** The session continues over a new connection: a credit may not have arrived (RES-2). */
  resumed(): void {
    for (const { inlet } of this.#calls.values()) inlet?.renew();
  }

  /** Reads the result of the call `id`, which is about to be made. */
  read(id: string, window: number): Inlet {
    this.#check();
    const inlet = new Inlet(window, (credit) => this.#host.notify([CREDIT, id, credit]));
    this.#calls.set(id, { inlet, outlets: [] });
    return inlet;
  }

  /** Extracts the streams from arguments. */
  lift(id: string, args: readonly unknown[], kwargs: object | undefined): Lifted {
    const outlets: Outlet[] = [];
    const lift = (value: unknown): unknown => {
      if (!isSource(value)) return value;
      this.#check();
      if ("locked" in value && value.locked) throw new UsageError("a locked ReadableStream cannot be sent");
      const key = outlets.length;
      if (key > MAX_KEY) throw new UsageError(`a call has at most ${MAX_KEY + 1} streams as arguments`);
      const isWanted = (): boolean => this.#calls.has(id);
      outlets.push(new Outlet(value, (n, item, ends) => this.#host.post("", [ends ? END : ITEM, id, n, item, key], isWanted)));
      return new StreamKey(key);
    };
    const lifted = { args: args.map(lift), kwargs: kwargs && Object.fromEntries(Object.entries(kwargs).map(([name, value]) => [name, lift(value)])) };
    return outlets.length > 0 ? { ...lifted, outlets } : { args, kwargs, outlets };
  }

  /** Sends the arguments of the call `id` until its response; `failed` is called with the reason why one cannot be sent. */
  feed(id: string, outlets: readonly Outlet[], response: Promise<unknown>, failed: (error: unknown) => void): void {
    this.#calls.set(id, { ...this.#calls.get(id), outlets });
    const close = (): void => this.close(id);
    response.then(close, close);
    for (const outlet of outlets) outlet.feed().catch(failed);
  }

  /** The call `id` is over. */
  close(id: string): void {
    for (const outlet of this.#calls.get(id)?.outlets ?? []) outlet.stop();
    this.#calls.delete(id);
  }

  /** Messages of a call that is over are ignored. */
  receive(message: UnaskedMessage): boolean {
    if (!this.#active || message.kind !== "extension" || message.type < ITEM || message.type > CREDIT) return false;
    const [type, id, n, value] = message.items;
    const call = this.#calls.get(id as string);
    if (!call || !isCount(n)) return true;
    if (type === ITEM) call.inlet?.put(n, value);
    else if (type === CREDIT && isCount(value)) call.outlets[value]?.grant(n);
    return true;
  }

  #check(): void {
    if (!this.#active) throw new UnsupportedError("this server knows no streams");
  }
}
