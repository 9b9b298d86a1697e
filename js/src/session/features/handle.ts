import { ErrorCode, MethodError, UsageError } from "../../errors.js";
import { report } from "../../report.js";
import type { CallMessage, UnaskedMessage } from "../../wire/messages.js";
import { textOf, wellFormed } from "../../wire/text.js";
import type { Handler, HandlerContext } from "../callbacks.js";
import type { Feature, FeatureHost } from "./feature.js";
import { PROGRESS } from "./progress.js";

export type { Handler, HandlerContext } from "../callbacks.js";

/** The type of cancellations (EXT-4). */
const CANCEL = 6;

/** Characters of an unknown method's name that are sent (ERR-2). */
const MAX_NAME = 1024;

/** The names of methods, as for servers: dot-separated parts. */
const NAME = /^[a-z][a-z\d_]*(\.[a-z][a-z\d_]*)*$/;

/** A result or an error. */
interface Outcome {
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data: unknown };
}

/** The running calls of one session, by id. */
type Running = Map<string, AbortController>;

/** Serves the server's calls (HND). */
export class Handlers implements Feature {
  readonly name = "handle";

  readonly #host: HandleHost;
  readonly #most: number;
  readonly #handlers = new Map<string, Handler>();
  #active = false;
  #running: Running = new Map();

  /** @param most - how many calls are served at a time (LIM-20). */
  constructor(host: HandleHost, most: number) {
    this.#host = host;
    this.#most = most;
  }

  /** Serves calls of `method`; returns a function that stops that. */
  add(method: string, handler: Handler): () => void {
    if (!NAME.test(method)) throw new UsageError(`${method} is not the name of a method`);
    if (this.#handlers.has(method)) throw new UsageError(`there is a handler of ${method} already`);
    this.#handlers.set(method, handler);
    return () => {
      if (this.#handlers.get(method) === handler) this.#handlers.delete(method);
    };
  }

  /** The server knows nothing of calls in the previous session (HND-5). */
  negotiated(accepted: boolean): void {
    this.#active = accepted;
    const before = this.#running;
    this.#running = new Map();
    for (const abort of before.values()) abort.abort();
  }

  end(): void {
    this.negotiated(false);
  }

  receive(message: UnaskedMessage): boolean {
    if (!this.#active) return false;
    if (message.kind === "call") {
      void this.#serve(message, this.#running);
      return true;
    }
    if (message.kind !== "extension" || message.type !== CANCEL) return false;
    const id = message.items[1] as string;
    const abort = this.#running.get(id);
    if (abort) abort.abort();
    else this.#host.withdraw(responseTo(id), () => undefined);
    return true;
  }

  async #serve(call: CallMessage, running: Running): Promise<void> {
    const { id } = call;
    const method = wellFormed(call.method.slice(0, MAX_NAME));
    const handler = this.#handlers.get(method);
    const abort = new AbortController();
    let outcome: Outcome;
    if (!handler) {
      outcome = failure(ErrorCode.methodNotFound, `Unregistered method called: ${method}`, method);
    } else if (running.size >= this.#most) {
      outcome = failure(ErrorCode.limit, `over max_client_calls (${this.#most}) calls run`, method);
    } else {
      running.set(id, abort);
      const progress = (value: unknown): void => this.#progress(call, value, () => running.get(id) === abort && !abort.signal.aborted);
      outcome = await outcomeOf(handler, call, { signal: abort.signal, progress });
      if (running !== this.#running) return;
      running.delete(id);
    }
    if (abort.signal.aborted) outcome = failure(ErrorCode.cancelled, "Cancelled", method);
    this.#host.withdraw(progressOf(id), () => undefined);
    const send = (what: Outcome): Promise<void> => this.#host.post(responseTo(id), { wslink: "1.0", id, ...what }, () => running === this.#running);
    send(outcome)
      .catch((error: unknown) => {
        report(error);
        return send(unsendable(outcome, method));
      })
      .catch(report);
  }

  /** Of a call's waiting progress only the newest is sent, and nothing after the response. */
  #progress({ id, progress }: CallMessage, value: unknown, isWanted: () => boolean): void {
    if (!progress || !isWanted()) return;
    this.#host.withdraw(progressOf(id), () => undefined);
    this.#host.post(progressOf(id), [PROGRESS, id, value], isWanted).catch(report);
  }
}

/** Identifies the waiting messages of a call: not by its id, which a call of this side may have, too. */
function responseTo(id: string): string {
  return `>${id}`;
}

function progressOf(id: string): string {
  return `~${id}`;
}

async function outcomeOf(handler: Handler, { method, args, kwargs }: CallMessage, context: HandlerContext): Promise<Outcome> {
  try {
    return { result: (await handler(args, kwargs, context)) ?? null };
  } catch (error) {
    if (error instanceof MethodError) return failure(Number.isSafeInteger(error.code) ? error.code : ErrorCode.exception, error.message, error.data);
    if (!context.signal.aborted) report(error);
    return failure(ErrorCode.exception, "Exception raised", { method, exception: textOf(error) });
  }
}

function failure(code: number, message: string, data: unknown): Outcome {
  return { error: { code, message: wellFormed(message), data } };
}

/** What is sent instead of an outcome that cannot be encoded (ERR-3, ERR-4). */
function unsendable({ error }: Outcome, method: string): Outcome {
  if (!error) return failure(ErrorCode.notSerializable, "Method result cannot be serialized", method);
  return failure(error.code, error.message, "the data of this error cannot be sent");
}

type HandleHost = Pick<FeatureHost, "post" | "withdraw">;
