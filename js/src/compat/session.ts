import type { WaitOptions } from "../rpc/deadline.js";
import { Session } from "../session/session.js";
import type { Subscription } from "../session/features/subscribe.js";
import type { OwnBytes } from "../transports/transport.js";
import { withDefaults } from "../wire/limits.js";
import { clientFailure, connectionClosed, toFailure } from "./error.js";
import { OPEN, type SocketLike } from "./socket.js";

/** What servers send, as the released types have it: programs use it without a check, unless they say what it is. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Untyped = any;

/** Takes publications of a topic; the payload is the only element of the list. */
export type SubscriptionCallback<T = Untyped> = (args: [payload: T]) => unknown;

/** Identity of a subscription. */
export interface SubscriberInfo<T = Untyped> {
  readonly topic: string;
  readonly callback: SubscriptionCallback<T>;
}

export interface SessionSubscription<T = Untyped> extends SubscriberInfo<T> {
  /** Resolves where there is a connection; rejects with a `Failure` before there is one. */
  readonly promise: Promise<SubscriberInfo<T>>;
  unsubscribe(this: void): Promise<void>;
}

/** Calls and subscriptions of one connection. Its methods may be taken off it. All promises reject with plain `{ code, message, data }`. */
export interface WebsocketSession {
  /**
   * Calls a method of the server.
   *
   * @typeParam T - what the method returns; it is not checked.
   * @param args - plain values, `Blob`s, `ArrayBuffer`s, typed arrays and `DataView`s, nested at will.
   * @param options - `timeout` in milliseconds, and a `signal`; by default it waits until the connection ends.
   */
  call<T = Untyped>(
    this: void,
    method: string,
    args?: readonly unknown[],
    kwargs?: Readonly<Record<string, unknown>>,
    options?: WaitOptions,
  ): Promise<T>;
  /** Calls `callback` with what is published to a topic, wrapped in a list of one. */
  subscribe<T = Untyped>(this: void, topic: string, callback: SubscriptionCallback<T>): SessionSubscription<T>;
  /** Ends a subscription that {@link WebsocketSession.subscribe} or its promise returned. */
  unsubscribe<T = Untyped>(this: void, info: SubscriberInfo<T>): Promise<void>;
  /** Closes the connection; calls that wait for a response reject. */
  close(this: void): Promise<void>;
  /** Marks binary data to be sent. What can be sent is returned as it is, an `ArrayBuffer` in a view of its own. */
  addAttachment(this: void, payload: ArrayBuffer): DataView;
  /** The released types call it a string. */
  addAttachment(this: void, payload: Blob): Blob & string;
  addAttachment<T>(this: void, payload: T): T;
}

interface Subscriber extends SubscriberInfo {
  entry: Subscription;
}

/** Calls and subscriptions over one socket after another: subscriptions outlast a socket, calls do not. */
export class ReleasedSession {
  /** What applications get. */
  readonly api: WebsocketSession = Object.freeze({
    call: <T>(...call: Parameters<WebsocketSession["call"]>) => this.#call(...call) as Promise<T>,
    subscribe: <T>(topic: string, callback: SubscriptionCallback<T>) => this.#subscribe(topic, callback),
    unsubscribe: <T>(info: SubscriberInfo<T>) => this.#unsubscribe(info as SubscriberInfo),
    close: () => this.#close(),
    addAttachment: <T>(payload: T) => (payload instanceof ArrayBuffer ? new DataView(payload) : payload) as T & DataView,
  });

  readonly #callTimeout: number | undefined;
  readonly #closing: () => void;
  readonly #subscribers: Subscriber[] = [];
  #socket: SocketLike | undefined;
  #session: Session | undefined;
  /** Whether the server has accepted this client on this socket, and whether one ever has. */
  #accepted = false;
  #known = false;

  /**
   * @param callTimeout - of calls that give none, in milliseconds; without it they wait until the connection ends.
   * @param closing - called when the application closes the session, before it is closed.
   */
  constructor(callTimeout: number | undefined, closing: () => void) {
    this.#callTimeout = callTimeout;
    this.#closing = closing;
  }

  /** Whether calls can be made. */
  get open(): boolean {
    return this.#accepted && this.#socket?.readyState === OPEN;
  }

  /** Uses a socket that is opening, instead of any before it; returns what takes its frames. */
  use(socket: SocketLike): (frame: Uint8Array | string) => void {
    this.end();
    const session = new Session({ ...withDefaults({}), asReleased: true });
    session.connect(new SocketSink(socket));
    this.#socket = socket;
    this.#session = session;
    for (const subscriber of this.#subscribers) subscriber.entry = add(session, subscriber);
    return (frame) => session.receive(frame);
  }

  /** Says hello over the socket, which is open; resolves to this client's id. Rejects with a `Failure`. */
  async hello(secret: string): Promise<string> {
    const session = this.#session;
    if (!session) throw clientFailure("there is no socket to say hello over");
    const { clientId } = await session.hello(secret, {}).catch((error: unknown) => {
      throw toFailure(error);
    });
    if (session === this.#session) this.#accepted = this.#known = true;
    return clientId;
  }

  /** Ends the use of the socket: calls that wait reject. Returns whether the server had accepted this client. */
  end(event?: { readonly code?: number; readonly reason?: string }): boolean {
    const accepted = this.#accepted;
    this.#accepted = false;
    this.#session?.end("end", connectionClosed(event));
    return accepted;
  }

  #call(
    method: string,
    args: readonly unknown[] = [],
    kwargs: Readonly<Record<string, unknown>> = {},
    options?: WaitOptions | null,
  ): Promise<unknown> {
    if (!this.#session || !this.open) return Promise.reject(clientFailure(`${method} was not called: the connection is not open`));
    const { timeout, signal } = options ?? {};
    return this.#session.call(method, args, kwargs, { timeout: timeout ?? this.#callTimeout, signal: signal ?? undefined }).catch((error: unknown) => {
      throw toFailure(error);
    });
  }

  #subscribe<T>(topic: string, callback: SubscriptionCallback<T>): SessionSubscription<T> {
    const info = { topic, callback };
    return { ...info, promise: this.#add(info as SubscriberInfo).then(() => info), unsubscribe: () => this.#unsubscribe(info as SubscriberInfo) };
  }

  async #add(info: SubscriberInfo): Promise<void> {
    if (!this.#session || !this.#known) throw clientFailure(`${info.topic} was not subscribed to: the connection is not open`);
    this.#subscribers.push({ ...info, entry: add(this.#session, info) });
    return Promise.resolve();
  }

  async #unsubscribe({ topic, callback }: SubscriberInfo): Promise<void> {
    const index = this.#subscribers.findIndex((each) => each.topic === topic && each.callback === callback);
    if (index < 0) throw clientFailure(`there is no such subscription to ${topic}`);
    const [subscriber] = this.#subscribers.splice(index, 1);
    await subscriber?.entry.cancel();
  }

  async #close(): Promise<void> {
    this.#closing();
    this.end({ code: 1000, reason: "closed by this client" });
    this.#socket?.close();
    return Promise.resolve();
  }
}

class SocketSink {
  constructor(readonly socket: SocketLike) {}

  get waiting(): number | undefined {
    return this.socket.bufferedAmount;
  }

  send(frame: Uint8Array): void {
    this.socket.send(frame as OwnBytes);
  }
}

function add(session: Session, { topic, callback }: SubscriberInfo): Subscription {
  return session.subscribe(topic, (payload) => callback([payload]), {});
}
