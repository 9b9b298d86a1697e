import { AuthenticationError, CallError, type ConnectionError, ErrorCode, ProtocolError } from "../errors.js";
import { report } from "../report.js";
import type { WaitOptions } from "../rpc/deadline.js";
import { PendingCalls } from "../rpc/pending.js";
import { Assembler } from "../wire/assembler.js";
import { Decoder } from "../wire/decoder.js";
import { Encoder } from "../wire/encoder.js";
import { HELLO_ID } from "../wire/ids.js";
import type { Limits } from "../wire/limits.js";
import { type ErrorMessage, type ResponseMessage, type ServerMessage, readMessage } from "../wire/messages.js";
import { arrays } from "./features/arrays.js";
import { Cancel } from "./features/cancel.js";
import { type FeatureFactory, type FeatureHost, Features } from "./features/feature.js";
import { Flow } from "./features/flow.js";
import { type Callback, type SubscribeOptions, type Subscription, Subscriptions } from "./features/subscribe.js";
import { type Welcome, helloOf, readWelcome, refusal } from "./hello.js";
import { type FrameSink, SendQueue } from "./send-queue.js";
import { type SessionEvent, type SessionState, transition } from "./state.js";

/** The id of errors about what the server could not read, where it carries none (ERR-5). */
const MALFORMED_ID = "system:malformed:0";

/** How a session presents itself. */
export interface SessionOptions extends Limits {
  /**
   * Whether to be taken for a released client, by the server and by the application: it announces nothing, rounds integers beyond
   * 2^53, and sends values as released clients do.
   */
  readonly asReleased?: boolean;
  /** Extensions beyond those that are built in. */
  readonly features?: readonly FeatureFactory[] | undefined;
}

/** One connection's calls and subscriptions, in protocol version 2. Frames go in and out; it knows nothing of sockets. */
export class Session {
  readonly #assembler: Assembler;
  readonly #decoder = new Decoder();
  readonly #encoder = new Encoder();
  readonly #queue: SendQueue;
  readonly #pending = new PendingCalls((id) => this.#cancel.giveUp(id));
  readonly #subscriptions: Subscriptions;
  readonly #flow: Flow;
  readonly #cancel: Cancel;
  readonly #features: Features;
  readonly #asReleased: boolean;
  #state: SessionState = "new";
  #prefix = "";
  #lastNumber = 0;
  #ended: ConnectionError | undefined;

  /** @param sink - takes frames to the server. */
  constructor(sink: FrameSink, options: SessionOptions) {
    const { asReleased = false, features = [] } = options;
    this.#asReleased = this.#decoder.rounds = this.#encoder.asReleased = asReleased;
    this.#assembler = new Assembler(options);
    this.#queue = new SendQueue(sink);
    const system: FeatureHost["system"] = (name, argument) =>
      this.#request(`system:${name}:${++this.#lastNumber}`, `wslink.${name}`, [argument]);
    const host: FeatureHost = {
      system,
      encoder: this.#encoder,
      notify: (items) => this.#queue.notify(this.#encoder.encode(items)),
      urge: (items) => this.#queue.urge(this.#encoder.encode(items)),
      withdraw: (id) => this.#queue.withdraw(id),
      acceptEnds: () => {
        this.#assembler.acceptsEnds = this.#queue.sendsEnds = true;
      },
      startFlow: () => this.#queue.startFlow(),
      acknowledged: (total, held) => this.#queue.acknowledged(total, held),
    };
    this.#flow = new Flow(host);
    this.#cancel = new Cancel(host);
    this.#subscriptions = new Subscriptions(host, this.#flow);
    this.#features = new Features(host, [() => this.#subscriptions, arrays, () => this.#flow, () => this.#cancel, ...features]);
  }

  get state(): SessionState {
    return this.#state;
  }

  /**
   * Introduces this client; nothing else may be called before it resolves (HELLO-1).
   *
   * @param secret - undefined to be let in without one (HELLO-7).
   * @throws AuthenticationError where the server refuses the secret.
   */
  async hello(secret: string | undefined, options: WaitOptions): Promise<Welcome> {
    const argument = helloOf(secret, this.#asReleased ? undefined : this.#features.names);
    const response = await this.#request(HELLO_ID, "wslink.hello", [argument], undefined, options).catch((error: unknown) => {
      throw error instanceof AuthenticationError ? refusal(error, secret) : error;
    });
    const welcome = readWelcome(response);
    this.#prefix = `rpc:${welcome.clientId}:`;
    this.#queue.frameSize = welcome.maxMsgSize ?? this.#queue.frameSize;
    const features = this.#features.negotiated(this.#asReleased ? [] : welcome.features);
    this.#state = transition(this.#state, "welcome");
    return { ...welcome, features };
  }

  call(method: string, args: readonly unknown[], kwargs: object | undefined, options: WaitOptions): Promise<unknown> {
    return this.#request(`${this.#prefix}${++this.#lastNumber}`, method, args, kwargs, options);
  }

  subscribe(topic: string, callback: Callback, options: SubscribeOptions): Subscription {
    return this.#subscriptions.add(topic, callback, options);
  }

  /** Takes a frame from the server. It never throws: what is wrong with a frame rejects the call that it belongs to, or is reported. */
  receive(frame: Uint8Array | string): void {
    if (this.#ended) return;
    try {
      if (typeof frame === "string") throw new ProtocolError(ErrorCode.invalidRequest, "the server sent a text frame (DET-2)");
      const assembled = this.#assemble(frame);
      const message = assembled && readMessage(this.#decoder, assembled);
      this.#flow.count(frame.length, message?.kind === "extension" ? message.type : undefined);
      if (message) this.#handle(message);
    } catch (error) {
      report(error);
    }
  }

  /** This side closes, or the connection has ended: everything that waits rejects with `error`, as does everything from now on. */
  end(event: Exclude<SessionEvent, "welcome">, error: ConnectionError): void {
    this.#state = transition(this.#state, event);
    if (this.#ended) return;
    this.#ended = error;
    this.#queue.end();
    this.#pending.rejectAll(error);
    this.#features.end(error);
  }

  async #request(
    id: string,
    method: string,
    args: readonly unknown[],
    kwargs?: object,
    options: WaitOptions = {},
  ): Promise<unknown> {
    if (this.#ended) throw this.#ended;
    options.signal?.throwIfAborted();
    // The id comes before the arguments, so that a server that refuses the message for its size knows which call it was.
    const message = this.#encoder.encode({ wslink: "1.0", id, method, args, ...(kwargs && { kwargs }) });
    const response = this.#pending.wait(id, method, options);
    this.#queue.post(id, message, () => this.#pending.has(id)).catch((error: unknown) => this.#reject(id, error));
    return response;
  }

  #assemble(frame: Uint8Array): Uint8Array | undefined {
    try {
      const message = this.#assembler.add(frame);
      if (!message) this.#rejectRefused();
      return message;
    } catch (error) {
      if (!this.#rejectRefused()) throw error;
      return undefined;
    }
  }

  /** The first chunk of a message that is given up names the call that it responds to: that call need not wait. */
  #rejectRefused(): boolean {
    const refused = this.#assembler.takeRefused();
    if (!refused) return false;
    const begin = readMessage(this.#decoder, refused.begin);
    return "id" in begin && this.#reject(begin.id, refused.error);
  }

  #handle(message: ServerMessage): void {
    switch (message.kind) {
      case "response":
        this.#handleResponse(message);
        break;
      case "error":
        this.#handleError(message);
        break;
      case "publication":
      case "extension":
        this.#features.receive(message);
        break;
      case "unreadable":
        if (!this.#reject(message.id, message.error)) throw message.error;
    }
  }

  #handleResponse(message: ResponseMessage): void {
    if (!this.#pending.resolve(message.id, message.result)) this.#features.receive(message);
  }

  #handleError(error: ErrorMessage): void {
    if (error.id === MALFORMED_ID) throw callError("a message of this client", error);
    this.#queue.withdraw(error.id); // the server skips the rest of what it has refused (G2-8)
    this.#pending.reject(error.id, (method) => callError(method, error));
  }

  #reject(id: string | undefined, error: unknown): boolean {
    return id !== undefined && this.#pending.reject(id, () => error);
  }
}

function callError(method: string, { code, message, data }: ErrorMessage): CallError {
  const Class = code === ErrorCode.authentication ? AuthenticationError : CallError;
  return new Class(method, code, message, data);
}
