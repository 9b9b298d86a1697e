import { ConnectionError } from "../errors.js";
import type { WaitOptions } from "../rpc/deadline.js";
import type { FeatureFactory } from "../session/features/feature.js";
import type { Callback, SubscribeOptions, Subscription } from "../session/features/subscribe.js";
import type { Welcome } from "../session/hello.js";
import { Session } from "../session/session.js";
import type { Transport } from "../transports/transport.js";
import type { Limits } from "../wire/limits.js";

/** How a connection ended. */
export interface CloseInfo {
  /** The WebSocket close code: 1000 for a close that was asked for, 1006 for a connection that broke. */
  readonly code: number;
  /** The reason that the closing side gave; may be empty. */
  readonly reason: string;
}

export type LinkState = "open" | "closing" | "closed";

/**
 * Options of one call. Where its time is over or its signal aborts, the server cancels the call, if it has the feature `"cancel"`: what has not begun
 * never begins, and what is left of its arguments and its response is not sent.
 */
export type CallOptions = WaitOptions;

/** What a link needs to begin. */
export interface LinkOptions extends WaitOptions {
  readonly secret: string | undefined;
  readonly callTimeout: number | undefined;
  readonly limits: Limits;
  readonly features: readonly FeatureFactory[] | undefined;
}

/** A connection to a server, from {@link connect}. */
export class Link {
  /** Resolves when the connection has ended, for whatever reason; never rejects. */
  readonly closed: Promise<CloseInfo>;

  readonly #transport: Transport;
  readonly #session: Session;
  readonly #callTimeout: number | undefined;
  #welcome: Welcome | undefined;

  private constructor(transport: Transport, { limits, callTimeout, features }: LinkOptions) {
    this.#transport = transport;
    this.#callTimeout = callTimeout;
    this.#session = new Session(transport, { ...limits, features });
    this.closed = new Promise((resolve) => {
      transport.listen({
        frame: (frame) => this.#session.receive(frame),
        closed: (code, reason) => {
          this.#end("end", code, reason);
          resolve({ code, reason });
        },
      });
    });
  }

  /**
   * Says hello over a transport that is open.
   *
   * @internal
   */
  static async open(transport: Transport, options: LinkOptions): Promise<Link> {
    const link = new Link(transport, options);
    try {
      link.#welcome = await link.#session.hello(options.secret, options);
      return link;
    } catch (error) {
      void link.close();
      throw error;
    }
  }

  /**
   * This client's id, which the server gave it: "c" and 32 hexadecimal digits. In Python it is `Call.client_id`, a key of `app.clients`, and
   * what `publish(to=...)` takes.
   */
  get clientId(): string {
    return this.#welcome?.clientId ?? "";
  }

  /** The extensions that the server accepted, such as `"subscribe"`, `"arrays"`, `"flow"` and `"cancel"`: none where it is a released 2.x. */
  get features(): readonly string[] {
    return this.#welcome?.features ?? [];
  }

  /** The server's name and version; undefined where it is a released 2.x. */
  get server(): { readonly name: string; readonly version: string } | undefined {
    return this.#welcome?.server;
  }

  /** `closing` from {@link Link.close} until the server has closed too. */
  get state(): LinkState {
    return this.#session.state as LinkState; // it is not new any more where anybody has the link
  }

  /**
   * Calls a method of the server. Calls are sent in the order in which they are made; responses come as the server has them.
   *
   * @typeParam T - what the method returns; it is not checked.
   * @param args - positional arguments: plain values, `ArrayBuffer`s, typed arrays, {@link NDArray}s, `Blob`s, `Date`s, nested at will.
   *   They are copied at once, at about 0.5 ms per MB; Blobs are not, and are read piece by piece as they are sent.
   * @param kwargs - arguments by name; those that are undefined are left out.
   * @throws CallError where the server responds with an error; see its `code` and `data`.
   * @throws TimeoutError after `timeout` milliseconds (default: `callTimeout` of {@link connect}); the server cancels the call where it can.
   * @throws ConnectionError where the connection ends before the response.
   * @throws UsageError for arguments that cannot be sent; it names the place, such as `args[0].size`.
   */
  async call<T = unknown>(
    method: string,
    args: readonly unknown[] = [],
    kwargs?: Readonly<Record<string, unknown>>,
    options: CallOptions = {},
  ): Promise<T> {
    const { timeout = this.#callTimeout, signal } = options;
    return (await this.#session.call(method, args, kwargs, { timeout, signal })) as T;
  }

  /**
   * Subscribes to a topic. Several subscriptions to one topic, with filters of their own, stand side by side.
   *
   * @typeParam T - what the topic carries; it is not checked.
   * @param callback - called with each publication that matches, in the order in which they were published. Bytes and arrays in
   *   the payload are views of the message they came in; subscriptions that get the same publication share one payload.
   *   What it returns, if it is a promise, tells when it has dealt with the publication: the server sends no more than the page keeps up with.
   * @returns at once; await its `ready` to know that the subscription is in effect.
   */
  subscribe<T = unknown>(topic: string, callback: Callback<T>, options: SubscribeOptions = {}): Subscription {
    return this.#session.subscribe(topic, callback as Callback, options);
  }

  /**
   * Closes the connection. Calls that wait reject with a ConnectionError at once, and no callback is called any more.
   *
   * @returns what {@link Link.closed} resolves to.
   */
  close(): Promise<CloseInfo> {
    if (this.#session.state !== "closing" && this.#session.state !== "closed") {
      this.#end("close", 1000, "closed by this client");
      this.#transport.close(1000, "");
    }
    return this.closed;
  }

  #end(event: "close" | "end", code: number, reason: string): void {
    const message = `the connection to ${this.#transport.name} is closed (${reason ? `${code}, ${reason}` : code})`;
    this.#session.end(event, new ConnectionError(message, code, reason));
  }
}
