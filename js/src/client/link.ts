import { AuthenticationError, ConnectionError, TimeoutError } from "../errors.js";
import { objects } from "../options.js";
import { giveUpAfter } from "../rpc/deadline.js";
import type { FeatureFactory } from "../session/features/feature.js";
import type { Handler } from "../session/features/handle.js";
import type { NotResumed } from "../session/features/resume.js";
import type { Callback, SubscribeOptions, Subscription } from "../session/features/subscribe.js";
import type { Welcome } from "../session/hello.js";
import { type CallOptions, Session, type StreamOptions, type Verdict } from "../session/session.js";
import type { Transport } from "../transports/transport.js";
import type { Limits } from "../wire/limits.js";
import type { Backoff } from "./reconnect.js";

/** How a link ended. */
export interface CloseInfo {
  /** The WebSocket close code: 1000 for a close that was asked for, 1006 for a connection that broke, 1008 where the secret is refused on a return. */
  readonly code: number;
  /** The reason that the closing side gave; may be empty. */
  readonly reason: string;
}

export type LinkState = "open" | "reconnecting" | "closing" | "closed";

/** The outcome of a reconnection: the `detail` of `reconnected`. */
export interface Reconnected {
  /**
   * Whether the session was resumed: no message was lost or duplicated. Otherwise the server treats this as a new client; the link has renewed its subscriptions,
   * and calls that the server may have received have rejected.
   */
  readonly resumed: boolean;
  /** Why it was not resumed: the time or the bytes were exceeded, the server was restarted, refuses, or does not support it. */
  readonly reason: NotResumed | undefined;
  /** The time without a connection, in milliseconds. */
  readonly away: number;
}

/** The events of a link. */
export interface LinkEvents {
  /** {@link Link.state} has changed. */
  readonly statechange: Event;
  /** The link has reconnected. */
  readonly reconnected: CustomEvent<Reconnected>;
}

/** An EventTarget that knows the events of a link. */
interface LinkTarget extends EventTarget {
  addEventListener<K extends keyof LinkEvents>(
    type: K,
    listener: ((event: LinkEvents[K]) => unknown) | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
}

/** What a link needs to connect. */
export interface LinkOptions {
  /** Opens a connection; gives up when the signal aborts. */
  readonly open: (signal: AbortSignal) => Promise<Transport>;
  /** When to open another; undefined for never. */
  readonly backoff: Backoff | undefined;
  /** Milliseconds for one attempt; 0 for as long as it takes. */
  readonly timeout: number;
  /** Gives up the first attempt. */
  readonly signal: AbortSignal | undefined;
  readonly secret: string | undefined;
  /** Called when the server refuses the secret. */
  readonly refused: () => void;
  readonly callTimeout: number | undefined;
  readonly limits: Limits;
  readonly features: readonly FeatureFactory[];
  readonly handlers: Readonly<Record<string, Handler<never, never>>>;
}

/** The close code of a connection that this side aborts without ending its session, which 1000 would end, too. */
const GIVEN_UP = 4000;

/** The close code of a server that disconnects this client for good. */
const DISCONNECTED = 4002;

/** A link to a server, from {@link connect}. It reconnects when its connection is lost. */
export class Link extends (EventTarget as new () => LinkTarget) {
  /** Resolves when the link is closed for good; never rejects. */
  readonly closed: Promise<CloseInfo>;

  readonly #options: LinkOptions;
  readonly #session: Session;
  readonly #closing = new AbortController();
  #closed: (info: CloseInfo) => void = () => undefined;
  #transport: Transport | undefined;
  #welcome: Welcome | undefined;
  #name = "";
  #returning = false;
  /** How many sessions there have been. */
  #sessions = 0;

  private constructor(options: LinkOptions) {
    super();
    const { limits, features, backoff } = options;
    this.#options = options;
    const lost = backoff && ((): void => this.#giveUp(this.#transport, "the server gave no sign of life"));
    this.#session = new Session({ ...limits, features, lost });
    this.closed = new Promise((resolve) => (this.#closed = resolve));
    // A browser that keeps a page which is left closes its connections, as if it were gone for good: the server would end the session.
    const page: Partial<EventTarget> = globalThis;
    const left = (event: Event & { readonly persisted?: boolean }): void => {
      if (event.persisted) this.#giveUp(this.#transport, "the page was left", false, 1001);
    };
    page.addEventListener?.("pagehide", left, { signal: this.#closing.signal });
  }

  /**
   * Connects and says hello.
   *
   * @internal
   */
  static async open(options: LinkOptions): Promise<Link> {
    const link = new Link(options);
    for (const [method, handler] of Object.entries(options.handlers)) link.handle(method, handler);
    await link.#connect(options.signal);
    return link;
  }

  /**
   * This client's id, assigned by the server: "c" and 32 hexadecimal digits. It changes when a session is not resumed. In Python it is `Call.client_id`
   * and a key of `app.clients`, and `publish(to=...)` takes it.
   */
  get clientId(): string {
    return this.#welcome?.clientId ?? "";
  }

  /** The protocol extensions in use, such as `"subscribe"`, `"arrays"`, `"flow"` and `"cancel"`; none with a released 2.x server. */
  get features(): readonly string[] {
    return this.#welcome?.features ?? [];
  }

  /** The server's name and version; undefined with a released 2.x server. */
  get server(): { readonly name: string; readonly version: string } | undefined {
    return this.#welcome?.server;
  }

  /** `reconnecting` while there is no connection; `closing` from {@link Link.close} until the server has closed, too. */
  get state(): LinkState {
    return this.#session.state as LinkState; // never "new" when the application has the link
  }

  /** A value that changes whenever the server has lost the state that it kept for this client: everything that was read before has to be read again. */
  get epoch(): string {
    return this.#welcome?.resumption?.epoch ?? `${this.clientId}:${this.#sessions}`;
  }

  /**
   * Calls a method of the server. Calls are sent in the order in which they are made; responses may arrive in any order. While the link is
   * reconnecting, calls wait for the connection.
   *
   * @typeParam T - what the method returns; it is not checked.
   * @param args - positional arguments: plain values, `ArrayBuffer`s, typed arrays, {@link NDArray}s, `Blob`s, `Date`s, nested at will.
   *   They are copied at once, at about 0.5 ms per MB; Blobs are not, and are read piece by piece as they are sent.
   * @param kwargs - arguments by name; those that are undefined are left out.
   * @throws CallError if the server responds with an error; see its `code` and `data`.
   * @throws TimeoutError after `timeout` milliseconds (default: `callTimeout` of {@link connect}); the server cancels the call where it can.
   * @throws ConnectionError if the link is closed before the response, or its connection is lost and it is not known whether the server received the
   *   call; with `retry`, such a call is repeated.
   * @throws UsageError for arguments that cannot be sent; it names the place, such as `args[0].size`.
   */
  async call<T = unknown>(
    method: string,
    args: readonly unknown[] = [],
    kwargs?: Readonly<Record<string, unknown>>,
    options?: CallOptions,
  ): Promise<T> {
    objects({ options });
    return (await this.#session.call(method, args, kwargs, { ...options, timeout: options?.timeout ?? this.#options.callTimeout })) as T;
  }

  /**
   * Calls a method whose result is a stream: `for await (const part of link.stream("mesh.refine", [3]))`. The call is made when the first item is
   * requested. The server produces items only as fast as they are consumed, up to `window` ahead; leaving the loop, a `timeout` or the signal closes its
   * generator.
   *
   * @typeParam T - what the items are; it is not checked.
   * @param args - as for {@link Link.call}. In both, an argument may be a `ReadableStream` or an async iterable, if the method takes a stream there: it
   *   is read as fast as the method reads.
   * @throws CallError if the server responds with an error, after the items that precede it.
   * @throws UnsupportedError if the server does not support streams.
   */
  stream<T = unknown>(
    method: string,
    args: readonly unknown[] = [],
    kwargs?: Readonly<Record<string, unknown>>,
    options?: StreamOptions,
  ): AsyncGenerator<T, void, undefined> {
    return this.#session.stream(method, args, kwargs, options) as AsyncGenerator<T, void, undefined>;
  }

  /**
   * Subscribes to a topic. There may be several subscriptions to one topic, each with its own filter.
   *
   * @typeParam T - what the topic carries; it is not checked.
   * @param callback - called with each publication that matches, in the order in which they were published. Bytes and arrays in
   *   the payload are views of the message they came in; subscriptions that get the same publication share one payload.
   *   If it returns a promise, the publication counts as processed when that settles: the server sends no more than the page keeps up with.
   * @returns at once; await its `ready` to know that the subscription is in effect.
   */
  subscribe<T = unknown>(topic: string, callback: Callback<T>, options?: SubscribeOptions): Subscription {
    return this.#session.subscribe(topic, callback as Callback, options);
  }

  /**
   * Serves calls of the server, `await app.clients[id].call(method, ...)` in Python. The handler returns the result, or a promise of it; it may throw a
   * {@link MethodError} to choose the error. Calls are started in the order of their arrival, without waiting for earlier ones. Pass handlers that the
   * server may call at once to {@link connect}.
   *
   * @param handler - called with the positional arguments, those by name, and a context: its `signal` aborts when the server cancels the call, its
   *   `progress(value)` reports progress to the server.
   * @returns a function that removes the handler.
   * @throws UsageError if the method already has a handler.
   */
  handle<A extends readonly unknown[] = readonly unknown[], K = Readonly<Record<string, unknown>>>(method: string, handler: Handler<A, K>): () => void {
    return this.#session.handle(method, handler as Handler);
  }

  /**
   * Closes the link for good. Pending calls reject with a ConnectionError at once, and no callback is called any more.
   *
   * @returns what {@link Link.closed} resolves to.
   */
  close(): Promise<CloseInfo> {
    if (this.state === "closing" || this.state === "closed") return this.closed;
    this.#session.end("close", this.#error(1000, "closed by this client"));
    this.#closing.abort();
    this.#changed();
    if (this.#transport) this.#transport.close(1000, "");
    else this.#end({ code: 1000, reason: "closed by this client" });
    return this.closed;
  }

  /** Opens a connection and says hello over it, within the time of one attempt. */
  async #connect(signal: AbortSignal | undefined): Promise<Verdict> {
    const { open, secret, timeout, backoff } = this.#options;
    const attempt = new AbortController();
    const disarm = giveUpAfter({ timeout, signal }, (ms) => new TimeoutError("connect", ms), (reason) => attempt.abort(reason));
    try {
      if (signal?.aborted) throw signal.reason as Error;
      this.#use(await open(attempt.signal));
      if (attempt.signal.aborted) throw attempt.signal.reason as Error;
      const welcome = await this.#session.hello(secret, { signal: attempt.signal });
      this.#welcome = welcome;
      if (!welcome.resumed) this.#sessions += 1;
      backoff?.opened();
      return welcome;
    } catch (error) {
      this.#giveUp(this.#transport, "", signal?.aborted);
      throw error;
    } finally {
      disarm();
    }
  }

  #use(transport: Transport): void {
    this.#transport = transport;
    this.#name = transport.name;
    transport.listen({
      frame: (frame) => {
        if (transport === this.#transport) this.#session.receive(frame);
      },
      closed: (code, reason) => {
        if (transport === this.#transport) this.#cut({ code, reason });
      },
    });
    this.#session.connect({
      send: (frame) => {
        try {
          transport.send(frame);
        } catch (error) {
          // Not now: the sender is in the middle of an operation.
          queueMicrotask(() => this.#giveUp(transport === this.#transport ? transport : undefined, String(error)));
        }
      },
      get waiting() {
        return transport.waiting;
      },
    });
  }

  /** Aborts a connection: what still arrives over it is ignored. With `forGood` there will be no other, which the server is told. */
  #giveUp(transport: Transport | undefined, reason: string, forGood = false, code = 1006): void {
    if (!transport || this.state === "closing") return;
    this.#cut({ code, reason });
    transport.close(this.#welcome && !forGood ? GIVEN_UP : 1000, reason);
  }

  /** The connection has ended. */
  #cut(info: CloseInfo): void {
    this.#transport = undefined;
    if (this.state === "closing" || !this.#options.backoff || info.code === DISCONNECTED) return this.#end(info);
    const open = this.state === "open";
    this.#session.disconnect(this.#error(info.code, info.reason));
    if (!open) return;
    this.#options.backoff.ended(info.code);
    this.#changed();
    if (!this.#returning) void this.#return(this.#options.backoff, info);
  }

  /** Reconnects, with as many attempts as it takes. */
  async #return(backoff: Backoff, info: CloseInfo): Promise<void> {
    const since = performance.now();
    this.#returning = true;
    const over = new AbortController();
    const disarm = giveUpAfter({ timeout: backoff.giveUpAfter, signal: this.#closing.signal }, () => new Error(), () => over.abort());
    let verdict: Verdict | undefined;
    while (this.state === "reconnecting" && !over.signal.aborted) {
      await backoff.wait(over.signal);
      verdict = await this.#connect(over.signal).catch((error: unknown) => this.#refuse(error));
    }
    disarm();
    this.#returning = false;
    if (this.state === "open" && verdict) {
      this.#changed();
      if (this.#closing.signal.aborted) return; // by a listener
      const { resumed, reason } = verdict;
      this.dispatchEvent(new CustomEvent<Reconnected>("reconnected", { detail: { resumed, reason, away: performance.now() - since } }));
    } else if (this.state === "reconnecting") {
      this.#end(info);
    }
  }

  /** An attempt has failed. If the secret is no longer valid, the link ends: retrying would not help. */
  #refuse(error: unknown): undefined {
    if (!(error instanceof AuthenticationError)) return;
    this.#options.refused();
    if (this.state === "reconnecting") this.#end({ code: 1008, reason: error.message });
  }

  #end(info: CloseInfo): void {
    if (this.state === "closed") return;
    this.#session.end("end", this.#error(info.code, info.reason));
    this.#closing.abort();
    this.#closed(info);
    this.#changed();
  }

  #changed(): void {
    this.dispatchEvent(new Event("statechange"));
  }

  #error(code: number, reason: string): ConnectionError {
    const message = `the connection to ${this.#name} is closed (${reason ? `${code}, ${reason}` : code})`;
    return new ConnectionError(message, code, reason);
  }
}
