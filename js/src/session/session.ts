import { AuthenticationError, CallError, ConnectionError, ErrorCode, ProtocolError } from "../errors.js";
import { VERSION } from "../version.js";
import { Assembler } from "../wire/assembler.js";
import { Decoder } from "../wire/decoder.js";
import { Encoder } from "../wire/encoder.js";
import { HELLO_ID } from "../wire/ids.js";
import { HEADER_LENGTH, type Limits } from "../wire/limits.js";
import { type Failure, type ServerMessage, readMessage } from "../wire/messages.js";
import { Calls } from "./calls.js";
import type { WaitOptions } from "./deadline.js";
import { Outbox } from "./outbox.js";
import { report } from "./report.js";
import { type Callback, type Filter, type Subscription, Subscriptions } from "./subscriptions.js";

/** The extensions that this client announces (EXT-1). */
const FEATURES = ["subscribe", "arrays"];

/** The id of failures that answer what the server could not read (ERR-5). */
const MALFORMED_ID = "system:malformed:0";

/** What the server says in answer to hello (HELLO-2, EXT-2). A released server says less. */
export interface Welcome {
  readonly clientId: string;
  /** The extensions that it accepted. */
  readonly features: readonly string[];
  /** Undefined for a released server. */
  readonly server: { readonly name: string; readonly version: string } | undefined;
}

/** Who a session passes for. */
export interface SessionOptions extends Limits {
  /**
   * Whether to be taken for a released client, by the server and by the application: it announces nothing, rounds integers beyond
   * 2^53, and sends `null` for `undefined` in objects.
   */
  readonly asReleased?: boolean;
}

/** One connection's calls and subscriptions, in the second generation. Frames go in and out; it knows nothing of sockets. */
export class Session {
  readonly #assembler: Assembler;
  readonly #decoder = new Decoder();
  readonly #encoder = new Encoder();
  readonly #outbox: Outbox;
  readonly #calls = new Calls();
  readonly #subscriptions = new Subscriptions((name, argument) =>
    this.#request(`system:${name}:${++this.#lastNumber}`, `wslink.${name}`, [argument]),
  );
  readonly #asReleased: boolean;
  #prefix = "";
  #lastNumber = 0;
  #ended: ConnectionError | undefined;

  /** @param send - takes a frame to the server; it must not keep the frame's buffer for later unless it owns it. */
  constructor(send: (frame: Uint8Array) => void, options: SessionOptions) {
    const { asReleased = false } = options;
    this.#asReleased = asReleased;
    this.#decoder.rounds = asReleased;
    this.#encoder.keepUndefined = asReleased;
    this.#assembler = new Assembler(options);
    this.#outbox = new Outbox((frame) => {
      if (!this.#ended) send(frame);
    });
  }

  /**
   * Introduces this client; nothing else may be called before it resolves (HELLO-1).
   *
   * @param secret - undefined to be let in without one (HELLO-7).
   * @throws AuthenticationError where the server refuses the secret.
   */
  async hello(secret: string | undefined, options: WaitOptions): Promise<Welcome> {
    const client = { name: "wslink", version: VERSION };
    const hello = this.#asReleased ? { secret } : { secret, features: FEATURES, client };
    const answer = await this.#request(HELLO_ID, "wslink.hello", [hello], undefined, options);
    const { maxMsgSize, ...welcome } = readWelcome(answer);
    this.#prefix = `rpc:${welcome.clientId}:`;
    this.#outbox.frameSize = maxMsgSize ?? this.#outbox.frameSize;
    this.#subscriptions.negotiated = welcome.features.includes("subscribe");
    this.#encoder.arrays = welcome.features.includes("arrays");
    return welcome;
  }

  call(method: string, args: readonly unknown[], kwargs: object | undefined, options: WaitOptions): Promise<unknown> {
    return this.#request(`${this.#prefix}${++this.#lastNumber}`, method, args, kwargs, options);
  }

  subscribe(topic: string, callback: Callback, filter: Filter | null | undefined): Subscription {
    return this.#subscriptions.add(topic, callback, filter);
  }

  /** Takes a frame from the server. It never throws: what is wrong with a frame is reported, or told the call that it answers. */
  receive(frame: Uint8Array | string): void {
    if (this.#ended) return;
    try {
      if (typeof frame === "string") throw new ProtocolError(ErrorCode.invalidRequest, "the server sent a text frame (DET-2)");
      const message = this.#assemble(frame);
      if (message) this.#handle(readMessage(this.#decoder, message));
    } catch (error) {
      report(error);
    }
  }

  /** Ends the session: everything that waits rejects with `error`, as does everything that is asked from now on. */
  end(error: ConnectionError): void {
    this.#ended ??= error;
    this.#calls.rejectAll(this.#ended);
    this.#subscriptions.end(this.#ended);
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
    const message = this.#encoder.encode({ wslink: "1.0", id, method, args, ...(kwargs && { kwargs }) });
    const answer = this.#calls.wait(id, method, options);
    this.#outbox.post(message).catch((error: unknown) => this.#calls.reject(id, () => error));
    return answer;
  }

  #assemble(frame: Uint8Array): Uint8Array | undefined {
    try {
      return this.#assembler.add(frame);
    } catch (error) {
      // A message that is dropped at its first chunk tells there which call it was to answer: that call need not wait.
      const begin = readMessage(this.#decoder, frame.subarray(HEADER_LENGTH));
      if (begin.kind !== "unreadable" || !this.#reject(begin.id, error)) throw error;
      return undefined;
    }
  }

  #handle(message: ServerMessage): void {
    switch (message.kind) {
      case "result":
        this.#calls.resolve(message.id, message.result);
        break;
      case "failure":
        this.#handleFailure(message);
        break;
      case "publication":
        this.#subscriptions.dispatch(message);
        break;
      case "unreadable":
        if (!this.#reject(message.id, message.error)) throw message.error;
    }
  }

  #handleFailure(failure: Failure): void {
    if (failure.id === MALFORMED_ID) throw callError("a message of this client", failure);
    this.#calls.reject(failure.id, (method) => callError(method, failure));
  }

  #reject(id: string | undefined, error: unknown): boolean {
    return id !== undefined && this.#calls.reject(id, () => error);
  }
}

function callError(method: string, { code, message, data }: Failure): CallError {
  const Class = code === ErrorCode.authentication ? AuthenticationError : CallError;
  return new Class(method, code, message, data);
}

function readWelcome(answer: unknown): Welcome & { readonly maxMsgSize: number | undefined } {
  const { clientID, maxMsgSize, features = [], server } = (answer ?? {}) as Record<string, unknown>;
  if (typeof clientID !== "string" || !/^\w+$/.test(clientID)) throw badWelcome("clientID");
  if (maxMsgSize !== undefined && !(typeof maxMsgSize === "number" && maxMsgSize > HEADER_LENGTH)) throw badWelcome("maxMsgSize");
  if (!Array.isArray(features) || !features.every(isText)) throw badWelcome("features");
  return { clientId: clientID, maxMsgSize, features, server: readServer(server) };
}

function readServer(server: unknown): Welcome["server"] {
  const { name, version } = (server ?? {}) as Record<string, unknown>;
  return isText(name) && isText(version) ? { name, version } : undefined;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function badWelcome(key: string): ProtocolError {
  return new ProtocolError(ErrorCode.invalidRequest, `the answer to hello has no usable ${key} (HELLO-2)`);
}
