import { AuthenticationError, CallError, ConnectionError, ErrorCode, ProtocolError, type WslinkError } from "../errors.js";
import { functions, isText, must, objects, refuse } from "../options.js";
import { report } from "../report.js";
import type { WaitOptions } from "../rpc/deadline.js";
import { PendingCalls } from "../rpc/pending.js";
import { Assembler } from "../wire/assembler.js";
import { readHeader } from "../wire/chunks.js";
import { Decoder } from "../wire/decoder.js";
import { type Encoded, Encoder } from "../wire/encoder.js";
import { HELLO_ID } from "../wire/ids.js";
import { HEADER_LENGTH, type Limits } from "../wire/limits.js";
import { type ErrorMessage, type ServerMessage, readMessage } from "../wire/messages.js";
import { arrays } from "./features/arrays.js";
import { Cancel } from "./features/cancel.js";
import { type Arounds, type FeatureFactory, type FeatureHost, Features } from "./features/feature.js";
import { Flow } from "./features/flow.js";
import { type Handler, Handlers } from "./features/handle.js";
import { type OnProgress, Progress } from "./features/progress.js";
import { type NotResumed, Resume } from "./features/resume.js";
import { Streams } from "./features/stream.js";
import { type Callback, type SubscribeOptions, type Subscription, Subscriptions } from "./features/subscribe.js";
import { type Welcome, helloOf, readWelcome, refusal } from "./hello.js";
import { type FrameSink, Outgoing, SendQueue } from "./send-queue.js";
import { type SessionEvent, type SessionState, transition } from "./state.js";
import { type TransferOptions, Transfers } from "./transfers.js";

/** The id of errors about messages whose id the server could not read (ERR-5). */
const MALFORMED_ID = "system:malformed:0";

/** How a session presents itself. */
export interface SessionOptions extends Limits {
  /**
   * Whether to act as a released client towards the server and the application: it announces nothing, rounds integers beyond
   * 2^53, and sends values as released clients do.
   */
  readonly asReleased?: boolean;
  /** Extensions in addition to the built-in ones. */
  readonly features?: readonly FeatureFactory[] | undefined;
  /** Aborts a connection without a sign of life; if undefined, hello does not ask for resumption. */
  readonly lost?: (() => void) | undefined;
}

/** Options of one call. */
export interface CallOptions extends TransferOptions {
  /**
   * Retries the call if the connection was lost and it is not known whether the server received the call: the method may then run twice. Default: such a
   * call rejects with a ConnectionError.
   */
  readonly retry?: boolean | undefined;
  /** Called with the progress that the method reports, in order, and never after the response. Of several values that wait, only the newest arrives. */
  readonly onProgress?: OnProgress | undefined;
}

/** Options of one stream. */
export interface StreamOptions extends WaitOptions {
  /** How many items may be in flight or wait here, from 1 to the server's `max_stream_window` (1,024). Default: 16. */
  readonly window?: number | undefined;
  /** Called with the stream's progress, as for a call; it may overtake items. */
  readonly onProgress?: OnProgress | undefined;
}

/** Whether a connection continues the previous one's session; `reason` says why not. */
export interface Verdict {
  readonly resumed: boolean;
  readonly reason: NotResumed | undefined;
}

/**
 * Calls and subscriptions, in protocol version 2, over one connection or several, one after another. Frames go in and out; it is independent of
 * sockets.
 */
export class Session {
  readonly #limits: Limits;
  #assembler: Assembler;
  readonly #decoder = new Decoder();
  readonly #encoder = new Encoder();
  readonly #queue: SendQueue;
  readonly #pending = new PendingCalls((id) => this.#cancel.giveUp(id));
  readonly #transfers = new Transfers(this.#decoder);
  readonly #subscriptions: Subscriptions;
  readonly #flow: Flow;
  readonly #cancel: Cancel;
  readonly #progress = new Progress();
  readonly #streams: Streams;
  readonly #handlers: Handlers;
  readonly #resume: Resume | undefined;
  readonly #features: Features;
  readonly #read: Arounds["read"];
  readonly #asReleased: boolean;
  #state: SessionState = "new";
  #prefix = "";
  #lastNumber = 0;
  /** Calls that may be retried. */
  readonly #repeatable = new Map<string, Encoded>();
  /** How the previous connection has ended. */
  #cut: ConnectionError | undefined;
  #ended: ConnectionError | undefined;

  constructor(options: SessionOptions) {
    const { asReleased = false, features = [], lost } = options;
    this.#limits = options;
    this.#asReleased = this.#decoder.rounds = this.#encoder.asReleased = asReleased;
    this.#assembler = new Assembler(options);
    this.#queue = new SendQueue(options.maxResume);
    const system: FeatureHost["system"] = (name, argument, retry) =>
      this.#request(`system:${name}:${++this.#lastNumber}`, `wslink.${name}`, [argument], undefined, { retry });
    const host: FeatureHost = {
      system,
      encoder: this.#encoder,
      notify: (items) => this.#queue.notify(this.#encoder.encode(items)),
      urge: (items) => this.#queue.urge(this.#encoder.encode(items)),
      post: async (key, message, isWanted) => this.#queue.post(key, this.#encoder.encode(message), isWanted),
      withdraw: (id, sent) => this.#queue.withdraw(id, sent),
      acceptEnds: () => {
        this.#assembler.acceptsEnds = this.#queue.sendsEnds = true;
      },
      startFlow: () => this.#queue.startFlow(),
      acknowledged: (total, held) => this.#queue.acknowledged(total, held),
      received: (number, missing) => this.#queue.received(number, missing),
    };
    this.#resume = lost && new Resume(options.maxPartial, () => this.#flow.ask(), lost);
    const resume = this.#resume ? [this.#resume] : [];
    this.#flow = new Flow(host, this.#resume);
    this.#cancel = new Cancel(host);
    this.#streams = new Streams(host);
    this.#handlers = new Handlers(host, options.maxClientCalls);
    this.#subscriptions = new Subscriptions(host, this.#flow);
    this.#features = new Features(host, [() => this.#subscriptions, arrays, () => this.#flow, () => this.#cancel, () => this.#progress, () => this.#handlers, () => this.#streams, ...resume.map((feature) => () => feature), ...features]);
    this.#read = this.#features.around("read", "", (bytes) => readMessage(this.#decoder, bytes));
  }

  get state(): SessionState {
    return this.#state;
  }

  /** Uses a connection; {@link Session.hello} follows. */
  connect(sink: FrameSink): void {
    this.#resume?.keep(this.#assembler);
    this.#assembler = new Assembler(this.#limits);
    this.#queue.connect(sink);
  }

  /** The connection has ended, and there will be another. Calls wait for it, except for those that a server without resumption may have received. */
  disconnect(error: ConnectionError): void {
    this.#state = transition(this.#state, "cut");
    this.#cut = error;
    this.#queue.disconnect();
    this.#pending.reject(HELLO_ID, () => error);
    this.#features.tell("disconnected");
    this.#resume?.ended(error.code);
    if (!this.#resume?.received || this.#queue.overflowed) this.#failUncertain(error);
  }

  /**
   * Says hello; nothing else may be called before it resolves for the first time (HELLO-1).
   *
   * @param secret - undefined to connect without one (HELLO-7).
   * @throws AuthenticationError if the server refuses the secret.
   */
  async hello(secret: string | undefined, options: WaitOptions): Promise<Welcome & Verdict> {
    const { overflowed } = this.#queue;
    const argument = helloOf(secret, this.#asReleased ? undefined : this.#features.names, this.#resume?.request(overflowed));
    const welcome = readWelcome(await this.#greet(argument, secret, options));
    this.#queue.frameSize = welcome.maxMsgSize ?? this.#queue.frameSize;
    const accepted = this.#asReleased ? [] : welcome.features;
    const resumption = accepted.includes("resume") ? welcome.resumption : undefined;
    const resumed = resumption?.resumed ?? false;
    this.#resume?.welcome(resumption, this.#assembler);
    if (resumed) {
      this.#features.tell("resumed");
      this.#queue.resume(resumption?.received ?? 0, resumption?.missing ?? [], new Map(resumption?.begun));
    } else {
      this.#prefix = `rpc:${welcome.clientId}:`;
      this.#begin(accepted, resumption !== undefined);
    }
    this.#state = transition(this.#state, "welcome");
    this.#queue.open();
    const reason = resumed ? undefined : overflowed ? "overflow" : (resumption ? (this.#resume?.isContested ? "refused" : resumption.reason) : "unsupported");
    return { ...welcome, resumption, features: this.#features.common(accepted), resumed, reason };
  }

  call(method: string, args: readonly unknown[], kwargs: object | undefined, options: CallOptions): Promise<unknown> {
    return this.#make(this.#newId(), method, args, kwargs, options);
  }

  /** Makes a call whose result is a stream, when the first item is requested. */
  async *stream(
    method: string,
    args: readonly unknown[],
    kwargs: object | undefined,
    given: StreamOptions | undefined,
  ): AsyncGenerator<unknown, void, undefined> {
    objects({ options: given });
    const { window = 16, onProgress, timeout, signal, ...others } = { ...given };
    refuse(others); // those of a call alone, such as `retry`, too
    must("a number of items, from 1 on", (value) => Number.isInteger(value) && (value as number) > 0, { window });
    const id = this.#newId();
    const inlet = this.#streams.read(id, window);
    const response = this.#make(id, method, args, kwargs, { onProgress, timeout, signal }, window);
    response.then(() => inlet.stop({}), (error: unknown) => inlet.stop({ error }, !(error instanceof CallError)));
    try {
      yield* inlet;
    } finally {
      this.#streams.close(id);
      if (this.#reject(id, undefined)) this.#cancel.giveUp(id);
    }
  }

  subscribe(topic: string, callback: Callback, options: SubscribeOptions | undefined): Subscription {
    must("text", isText, { topic });
    functions({ callback });
    objects({ options });
    return this.#subscriptions.add(topic, this.#features.around("callback", topic, callback), { ...options });
  }

  handle(method: string, handler: Handler): () => void {
    functions({ handler });
    return this.#handlers.add(method, this.#features.around("handler", method, handler));
  }

  /** Handles a frame from the server. Never throws: errors reject the call that the frame belongs to, or are reported. */
  receive(frame: Uint8Array | string): void {
    if (this.#ended) return;
    try {
      if (typeof frame === "string") throw new ProtocolError(ErrorCode.invalidRequest, "the server sent a text frame (DET-2)");
      this.#resume?.heard();
      const assembled = this.#assemble(frame);
      const message = assembled && this.#isNew(frame) ? this.#read(assembled) : undefined;
      this.#flow.count(frame.length, message?.kind === "extension" ? message.type : undefined);
      if (!assembled) this.#transfers.arrived(frame);
      else if (message?.kind === "response") this.#transfers.completed(message.id, frame);
      if (message) this.#handle(message);
    } catch (error) {
      report(error);
    }
  }

  /** This side closes, or the connection has ended: everything that is pending rejects with `error`, as does everything from now on. */
  end(event: Exclude<SessionEvent, "welcome">, error: ConnectionError): void {
    this.#state = transition(this.#state, event);
    if (this.#ended) return;
    this.#ended = error;
    this.#queue.disconnect();
    this.#features.tell("disconnected");
    this.#pending.rejectAll(error);
    this.#features.tell("end", error);
  }

  #greet(argument: object, secret: string | undefined, options: WaitOptions): Promise<unknown> {
    const message = this.#encoder.encode({ wslink: "1.0", id: HELLO_ID, method: "wslink.hello", args: [argument] });
    const response = this.#pending.wait(HELLO_ID, "wslink.hello", options);
    this.#queue.notify(message, this.#resume ? 0 : undefined);
    return response.catch((error: unknown) => {
      throw error instanceof AuthenticationError ? refusal(error, secret) : error;
    });
  }

  /** The server knows nothing of what was before. Renews subscriptions, then retries calls that may run twice, then sends what was waiting. */
  #begin(accepted: readonly string[], numbered: boolean): void {
    if (this.#cut) this.#failUncertain(this.#cut);
    const waiting = this.#queue.begin(numbered);
    const waits = new Set(waiting.map(({ id }) => id));
    const again = [...this.#repeatable].filter(([id]) => !waits.has(id));
    this.#features.negotiated(accepted);
    this.#queue.restore(again.map(([id, message]) => new Outgoing(id, message, () => this.#pending.has(id))));
    this.#queue.restore(waiting);
  }

  /** Fails the calls that the server may or may not have received, except for those that may be retried. */
  #failUncertain(error: ConnectionError): void {
    const { waiting } = this.#queue;
    const uncertain = this.#pending.ids.filter((id) => !waiting.has(id) && !this.#repeatable.has(id));
    for (const id of uncertain) this.#reject(id, error);
  }

  #newId(): string {
    return `${this.#prefix}${++this.#lastNumber}`;
  }

  #make(id: string, method: string, args: readonly unknown[], kwargs: object | undefined, options: CallOptions, stream?: number): Promise<unknown> {
    return this.#features.around("call", method, (id, keys) => this.#request(id, method, args, kwargs, options, stream, keys))(id);
  }

  async #request(
    id: string,
    method: string,
    args: readonly unknown[],
    kwargs?: object,
    { retry, onTransfer, onProgress, ...options }: CallOptions = {},
    stream?: number,
    keys?: object,
  ): Promise<unknown> {
    const check = (): void => {
      if (this.#ended) throw this.#ended;
      if (options.signal?.aborted) throw options.signal.reason as Error;
    };
    check();
    must("text", isText, { method });
    must("a list", Array.isArray, { args });
    objects({ kwargs });
    functions({ ...(onProgress && { onProgress }), ...(onTransfer && { onTransfer }) });
    // The id precedes the arguments, so that a server that refuses the message because of its size knows which call it was.
    const lifted = this.#streams.lift(id, args, kwargs);
    const asks = { ...(onProgress && { progress: true }), ...(stream && { stream }), ...keys };
    const message = this.#encoder.encode({ wslink: "1.0", id, ...asks, method, args: lifted.args, ...(kwargs && { kwargs: lifted.kwargs }) });
    check(); // again: a getter, or a toJSON, of an argument may close the link or give the call up
    const response = this.#pending.wait(id, method, options);
    if (!this.#pending.has(id)) return response; // its options are refused: nothing is sent
    if (lifted.outlets.length > 0) this.#streams.feed(id, lifted.outlets, response, (error) => this.#reject(id, error));
    if (onTransfer) this.#transfers.watch(id, onTransfer, response);
    if (onProgress) this.#progress.watch(id, onProgress, response);
    this.#queue.post(id, message, () => this.#pending.has(id), onTransfer).catch((error: unknown) => this.#reject(id, error));
    if (!retry || lifted.outlets.length > 0) return response;
    this.#repeatable.set(id, message);
    return response.finally(() => this.#repeatable.delete(id));
  }

  /** Whether a complete message has not arrived before, over this connection or a previous one (RES-3). */
  #isNew(frame: Uint8Array): boolean {
    const number = frame.length < HEADER_LENGTH ? 0 : readHeader(frame).id;
    return number === 0 || (this.#resume?.received?.take(number) ?? true);
  }

  #assemble(frame: Uint8Array): Uint8Array | undefined {
    try {
      const message = this.#assembler.add(frame);
      // A message that its sender has aborted will not be sent again (CAN-3).
      if (!message && frame.length === HEADER_LENGTH) this.#isNew(frame);
      if (!message) this.#rejectRefused();
      return message;
    } catch (error) {
      this.#isNew(frame); // it will not come again
      if (this.#rejectRefused()) return undefined;
      this.#flow.count(frame.length, undefined);
      throw error;
    }
  }

  /** The first chunk of a refused message names the call that it responds to: that call need not wait any longer. */
  #rejectRefused(): boolean {
    const refused = this.#assembler.takeRefused();
    if (!refused) return false;
    const begin = readMessage(this.#decoder, refused.begin);
    return "id" in begin && this.#reject(begin.id, refused.error);
  }

  #handle(message: ServerMessage): void {
    if (message.kind === "error") return this.#handleError(message);
    if (message.kind === "unreadable") {
      if (!this.#reject(message.id, message.error)) throw message.error;
    } else if (message.kind !== "response" || !this.#pending.resolve(message.id, message.result)) this.#features.receive(message);
  }

  #handleError(error: ErrorMessage): void {
    if (error.id === MALFORMED_ID) throw callError("a message of this client", error);
    this.#queue.stop(error.id);
    const again = error.code === ErrorCode.interrupted ? this.#repeatable.get(error.id) : undefined;
    if (again) this.#queue.post(error.id, again, () => this.#pending.has(error.id)).catch((failure: unknown) => this.#reject(error.id, failure));
    else this.#pending.reject(error.id, (method) => callError(method, error));
  }

  #reject(id: string | undefined, error: unknown): boolean {
    return id !== undefined && this.#pending.reject(id, () => error);
  }
}

function callError(method: string, { code, message, data }: ErrorMessage): WslinkError {
  if (code === ErrorCode.interrupted) return new ConnectionError(`${method}: ${message}`, 1012, message);
  const Class = code === ErrorCode.authentication ? AuthenticationError : CallError;
  return new Class(method, code, message, data);
}
