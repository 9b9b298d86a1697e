import { LaunchError, TimeoutError } from "../errors.js";
import { EventReader, type StartProgress, progressOf } from "../launcher/events.js";
import { type Host, withHost } from "../launcher/host.js";
import { type WaitOptions, giveUpAfter } from "../rpc/deadline.js";
import { functions, objects } from "../options.js";
import { inform } from "../report.js";

/** What to start. All of it is posted; a command's variables are filled from it. */
export interface LaunchRequest {
  /** One of the launcher's applications. */
  readonly application: string;
  readonly [variable: string]: unknown;
}

/** A launcher's description of a session that is ready; {@link connect} takes it. */
export interface LaunchedSession {
  /** Opens the session at the launcher: GET and DELETE of it. */
  readonly id: string;
  /** The session's WebSocket. USE_HOST and USE_HOSTNAME are replaced: by the page's host, in what has none, such as Node and pages of files, by the launcher's. */
  readonly sessionURL: string;
  /** The session's secret, where its command uses it. */
  readonly secret?: string;
  /** What else the launcher's `fields` name. */
  readonly [field: string]: unknown;
}

/** Progress of a start. A released launcher reports the end alone. */
export type LaunchProgress =
  | StartProgress
  | { readonly state: "ready"; readonly session: LaunchedSession }
  | { readonly state: "failed"; readonly error: unknown };

/** Options of {@link launch}. */
export interface LaunchOptions extends WaitOptions {
  /** Called with each state of the start; the last is `ready`, or `failed` with what the promise rejects with. What it throws, or rejects with, is reported. */
  readonly onProgress?: ((progress: LaunchProgress) => unknown) | undefined;
  /** HTTP headers of the request, such as `Authorization`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Gives up the start after so many milliseconds, with a TimeoutError. Default: the launcher's own `timeout` decides. */
  readonly timeout?: number | undefined;
  /** Gives up the start when it aborts, with its reason: the launcher ends what it has begun. It has no effect on a session that is ready. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks a launcher to start a session, and waits until it is ready.
 *
 * @param url - the launcher's endpoint, relative to the page if need be.
 * @throws LaunchError where the launcher does not start a session, with the reason.
 * @throws TimeoutError where it takes longer than `timeout`.
 *
 * @example
 * const session = await launch("viewers/", { application: "terrain" }, { onProgress: ({ state }) => show(state) });
 * const link = await connect(session);
 */
export async function launch(url: string | URL, request: LaunchRequest, options?: LaunchOptions): Promise<LaunchedSession> {
  objects({ options });
  const { headers, onProgress, ...wait } = { ...options };
  objects({ headers });
  if (onProgress) functions({ onProgress });
  const { signal } = wait;
  const notify = (progress: LaunchProgress): void => void inform(onProgress, progress);
  const attempt = new AbortController();
  const disarm = giveUpAfter(wait, (ms) => new TimeoutError("launch", ms), (reason) => attempt.abort(reason));
  try {
    if (signal?.aborted) throw signal.reason as Error;
    const session = sessionOf(await post(url, request, headers, attempt.signal, notify), url);
    notify({ state: "ready", session });
    return session;
  } catch (reason) {
    // What the platform says of an attempt that was given up differs; its reason says more.
    const error: unknown = attempt.signal.aborted ? attempt.signal.reason : reason;
    attempt.abort(error);
    notify({ state: "failed", error });
    throw error;
  } finally {
    disarm();
  }
}

type Description = Readonly<Record<string, unknown>>;
type Notify = (progress: StartProgress) => void;

async function post(url: string | URL, request: LaunchRequest, headers: LaunchOptions["headers"], signal: AbortSignal, notify: Notify): Promise<Description> {
  // The body is sent as text/plain, as released clients send it: pages of another origin need no preflight for it.
  const init = { method: "POST", headers: { Accept: "text/event-stream, application/json", ...headers }, body: JSON.stringify(request), signal };
  const response = await fetch(url, init).catch((cause: unknown) => {
    throw new LaunchError("the launcher cannot be reached", 0, { cause });
  });
  const { body, status } = response;
  if (body && response.headers.get("Content-Type")?.startsWith("text/event-stream")) return follow(body, notify);
  const description = (await response.json().catch(() => ({}))) as Description | null;
  if (status !== 200 || !description || description.error) throw launchError(status, description ?? {});
  return description;
}

async function follow(body: ReadableStream<Uint8Array<ArrayBuffer>>, notify: Notify): Promise<Description> {
  const events = new EventReader();
  const pieces = body.pipeThrough(new TextDecoderStream()).getReader();
  const ended = (cause?: unknown): never => {
    throw launchError(0, { error: "the launcher ended the connection", cause });
  };
  for (;;) {
    const { done, value } = await pieces.read().catch(ended);
    if (done) return ended();
    for (const event of events.read(value)) {
      if (event.name === "ready") return event.data;
      if (event.name === "failed") throw launchError(Number(event.data.status), event.data);
      const progress = progressOf(event);
      if (progress) notify(progress);
    }
  }
}

function launchError(status: number, description: Description): LaunchError {
  const { error } = description;
  return new LaunchError(typeof error === "string" ? error : `the launcher responded with ${status}`, status, description);
}

function sessionOf(description: Description, url: string | URL): LaunchedSession {
  const { sessionURL } = description;
  if (typeof sessionURL !== "string") throw launchError(200, { error: "the launcher's response has no sessionURL" });
  const { location } = globalThis as { readonly location?: Host };
  return { ...description, sessionURL: withHost(sessionURL, location?.host ? location : new URL(url)) } as LaunchedSession;
}
