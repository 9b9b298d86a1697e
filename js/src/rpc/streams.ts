// Streams of a call's items, in both directions, within the credit that their readers grant (STR): wslink.rpc.streams in Python.
import { ErrorCode, ProtocolError } from "../errors.js";
import { isFunction } from "../options.js";
import { textOf } from "../wire/text.js";

/** What an argument may be instead of a value. */
export type StreamSource = AsyncIterable<unknown> | ReadableStream<unknown>;

type Source = Pick<AsyncIterator<unknown, unknown>, "next" | "return">;

/** Lets a waiter know that something has changed. */
class Signal {
  #wake: () => void = () => undefined;
  #changed = Promise.resolve();

  fire(): void {
    this.#wake();
  }

  /** Waits until `ready` returns something. */
  async until<T>(ready: () => T | undefined): Promise<T> {
    for (;;) {
      const found = ready();
      if (found !== undefined) return found;
      this.#changed = new Promise((resolve) => (this.#wake = resolve));
      await this.#changed;
    }
  }
}

/** Items that the server sends: an async iterator over them, in order. */
export class Inlet implements AsyncIterable<unknown> {
  readonly #window: number;
  readonly #grant: (credit: number) => void;
  /** Items that have arrived and were not taken: they may overtake each other in flight. */
  readonly #items = new Map<number, unknown>();
  readonly #signal = new Signal();
  #taken = 0;
  #credit: number;
  #end: { readonly error?: unknown } | undefined;

  /**
   * @param window - how many items may arrive before they are taken.
   * @param grant - allows items whose numbers are below a credit.
   */
  constructor(window: number, grant: (credit: number) => void) {
    this.#window = this.#credit = window;
    this.#grant = grant;
  }

  /** An item has arrived. One that is not allowed ends the stream (STR-2). */
  put(n: number, value: unknown): void {
    if (this.#end) return;
    if (n < this.#taken || n >= this.#credit || this.#items.has(n)) {
      this.stop({ error: new ProtocolError(ErrorCode.limit, `the server sent item ${n} of a stream twice, or beyond the credit of ${this.#credit}`) });
    } else {
      this.#items.set(n, value);
      this.#signal.fire();
    }
  }

  /** No more items will arrive. An error follows those that have arrived, or replaces them. */
  stop(end: { readonly error?: unknown }, atOnce = false): void {
    this.#end ??= end;
    if (atOnce) this.#items.clear();
    this.#signal.fire();
  }

  /** Sends the credit again, which the server may not have received (RES-2). */
  renew(): void {
    if (!this.#end) this.#grant(this.#credit);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown, void, undefined> {
    for (;;) {
      const end = await this.#signal.until(() => (this.#items.has(this.#taken) ? {} : this.#end && { end: this.#end }));
      if ("end" in end) {
        if ("error" in end.end) throw end.end.error;
        return;
      }
      const value = this.#items.get(this.#taken);
      this.#items.delete(this.#taken++);
      if (!this.#end && this.#taken + this.#window - this.#credit >= Math.max(this.#window >> 1, 1)) {
        this.#credit = this.#taken + this.#window;
        this.#grant(this.#credit);
      }
      yield value;
    }
  }
}

/** Sends an item, or the end of a stream and its error; resolves when it has been sent. */
export type SendItem = (n: number, value: unknown, ends: boolean) => Promise<void>;

/** Items of an argument, which this side sends. */
export class Outlet {
  readonly #source: Source;
  readonly #send: SendItem;
  readonly #signal = new Signal();
  #credit = 0;
  #sent = 0;
  #over = false;

  constructor(source: StreamSource, send: SendItem) {
    this.#source = open(source);
    this.#send = send;
  }

  /** The server allows items whose numbers are below `credit`. */
  grant(credit: number): void {
    this.#credit = Math.max(this.#credit, credit);
    this.#signal.fire();
  }

  /** The call is over: nothing more is sent, and the source is closed. */
  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#signal.fire();
    void (async () => this.#source.return?.())().catch(() => undefined);
  }

  /**
   * Sends the items of the source, within the server's credit.
   *
   * @throws what the source throws, and for items that cannot be sent; the server has been notified.
   */
  async feed(): Promise<void> {
    try {
      while (await this.#signal.until(() => (this.#over ? false : this.#sent < this.#credit || undefined))) {
        const { done, value } = await this.#source.next();
        if (done || this.#over) break;
        await this.#send(this.#sent, value, false);
        this.#sent += 1;
      }
      if (!this.#over) await this.#send(this.#sent, null, true);
    } catch (error) {
      if (!this.#over) await this.#send(this.#sent, { code: ErrorCode.exception, message: textOf(error) }, true).catch(() => undefined);
      throw error;
    } finally {
      this.stop();
    }
  }
}

/** Whether an argument is a stream. */
export function isSource(value: unknown): value is StreamSource {
  return Symbol.asyncIterator in Object(value) || isFunction((value as Partial<ReadableStream> | null)?.getReader);
}

/** Not every browser can iterate over a ReadableStream. It is locked when it is first read: the call may be refused for another argument. */
function open(source: StreamSource): Source {
  if (!("getReader" in source)) return source[Symbol.asyncIterator]();
  let reader: ReadableStreamDefaultReader | undefined;
  return {
    next: () => (reader ??= source.getReader()).read(),
    return: () => (reader ?? source).cancel().then(() => ({ done: true, value: undefined })),
  };
}
