import { LONGEST_DELAY } from "../rpc/deadline.js";
import { EventReader, type StartEvent, type StartProgress, progressOf } from "../launcher/events.js";
import { type EventSubscription, type Model, destroy, event, isA, newInstance as makeNewInstance } from "./CompositeClosureHelper.js";

/** A launcher's description of a session that it started. */
export interface LaunchedSession {
  readonly id?: string;
  readonly sessionURL?: string;
  readonly secret?: string;
  readonly [field: string]: unknown;
}

/** What to start. All of it is posted, but the headers. */
export interface LaunchConfig {
  readonly application?: string | undefined;
  /** HTTP headers of the request, and of those after it. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Waits before each repetition of a request that fails with 503, in milliseconds. */
  readonly launcherRetry?: readonly number[] | undefined;
  readonly [field: string]: unknown;
}

export interface IProcessLauncherInitialValues {
  /** The launcher's URL. */
  readonly endPoint?: string | null;
}

/** Has a launcher start servers, and asks it about them. Its responses arrive as events. */
export interface ProcessLauncher {
  /** Asks for a new process: fires ProcessReady, or Error. */
  start(config: LaunchConfig): void;
  /** Asks about a session: fires Fetch, or Error. */
  fetchConnection(sessionId: string): void;
  /** Ends a session: fires ProcessStopped, or Error. */
  stop(session: LaunchedSession): void;
  /** The sessions that this page had started and has not stopped. */
  listConnections(): readonly LaunchedSession[];
  destroy(): void;
  isA(className: string): boolean;
  onProcessReady(callback: (session: LaunchedSession) => void): EventSubscription;
  onProcessStopped(callback: (response: unknown) => void): EventSubscription;
  onFetch(callback: (session: LaunchedSession) => void): EventSubscription;
  /** `request.response` is the launcher's response, `{ error }` perhaps; null where there was none. */
  onError(callback: (request: XMLHttpRequest) => void): EventSubscription;
  /** Progress of a start. A launcher that reports it is asked to once this has a listener; ProcessReady and Error come as ever. */
  onProgress(callback: (progress: StartProgress) => void): EventSubscription;
  fireProcessReady(session: LaunchedSession): void;
  fireProcessStopped(response: unknown): void;
  fireFetch(session: LaunchedSession): void;
  fireError(request: XMLHttpRequest): void;
  fireProgress(progress: StartProgress): void;
}

interface State extends Model {
  endPoint: string | null;
  headers?: Readonly<Record<string, string>>;
  /** Whether progress has a listener. */
  watched?: boolean;
}

interface Exchange {
  readonly method: "POST" | "GET" | "DELETE";
  readonly url: string;
  readonly body?: object;
  /** Called with the progress; the request asks for events then. */
  readonly progress?: ((progress: StartProgress) => void) | undefined;
  done(response: LaunchedSession | null): void;
  failed(request: XMLHttpRequest): void;
}

/** Of all launchers of a page. */
const sessions: LaunchedSession[] = [];

/** Makes `publicAPI` a ProcessLauncher. */
export function extend(publicAPI: object, model: object, initialValues: IProcessLauncherInitialValues = {}): void {
  const api = publicAPI as ProcessLauncher;
  const state: State = Object.assign(model, { endPoint: null }, initialValues);
  destroy(api, state);
  for (const name of ["ProcessReady", "ProcessStopped", "Fetch", "Error", "Progress"]) event(api, state, name);
  isA(api, state, "ProcessLauncher");
  const { onProgress } = api;
  api.onProgress = (callback) => {
    state.watched = true;
    return onProgress(callback);
  };
  const urlOf = (id: unknown): string => `${String(state.endPoint)}/${String(id)}`;
  const failed = (request: XMLHttpRequest): void => api.fireError(request);
  api.start = (config) => start(api, state, config, [...(config.launcherRetry ?? [])]);
  api.fetchConnection = (id) => {
    send(state, { method: "GET", url: urlOf(id), failed, done: (session) => api.fireFetch(session ?? {}) });
  };
  api.stop = (session) => {
    const done = (response: unknown): void => {
      forget(session);
      api.fireProcessStopped(response);
    };
    send(state, { method: "DELETE", url: urlOf(session.id), failed, done });
  };
  api.listConnections = () => sessions;
}

function start(api: ProcessLauncher, state: State, config: LaunchConfig, waits: number[]): void {
  if (state.deleted) return;
  const { headers, ...body } = config;
  if (headers) state.headers = headers;
  send(state, {
    method: "POST",
    url: String(state.endPoint),
    body,
    progress: state.watched ? (progress) => api.fireProgress(progress) : undefined,
    done(session) {
      if (session) sessions.push(session);
      api.fireProcessReady(session ?? {});
    },
    failed(request) {
      const wait = request.status === 503 ? waits.shift() : undefined;
      if (wait === undefined) api.fireError(request);
      else setTimeout(() => start(api, state, config, waits), Math.min(wait, LONGEST_DELAY));
    },
  });
}

function send({ headers = {} }: State, { method, url, body, progress, done, failed }: Exchange): void {
  const request = new XMLHttpRequest();
  request.open(method, url, true);
  for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
  const settle = progress ? follow(request, progress) : undefined;
  if (!settle) request.responseType = "json";
  request.onerror = () => failed(request);
  request.onload = () => {
    settle?.();
    const response = request.response as (LaunchedSession & { readonly error?: unknown }) | null;
    // A page in the launcher's place responds with 200 and no JSON.
    const good = request.status === 200 && !response?.error && (response !== null || method === "DELETE");
    if (good) done(response);
    else failed(request);
  };
  request.send(body ? JSON.stringify(body) : null);
}

/**
 * Asks for the events of a start, and reports them as they arrive.
 *
 * @returns what makes the request, once it is over, look as if the response had been JSON: listeners of Error expect that.
 */
function follow(request: XMLHttpRequest, notify: (progress: StartProgress) => void): () => void {
  const reader = new EventReader();
  let read = 0;
  let last: StartEvent | undefined;
  const advance = (): void => {
    const text = request.responseText;
    for (const event of reader.read(text.slice(read))) {
      last = event;
      const progress = progressOf(event);
      if (progress) notify(progress);
    }
    read = text.length;
  };
  const streamed = (): boolean => request.getResponseHeader("Content-Type")?.startsWith("text/event-stream") === true;
  request.setRequestHeader("Accept", "text/event-stream");
  request.onprogress = () => {
    if (streamed()) advance();
  };
  return () => {
    if (streamed()) advance();
    const { status: reported = 200, ...description } = last?.data ?? {};
    const settled = last?.name === "ready" || last?.name === "failed";
    const [status, response] = streamed() ? [settled ? reported : 0, settled ? description : null] : [request.status, json(request.responseText)];
    Object.defineProperties(request, { status: { value: status }, response: { value: response } });
  };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function forget(session: LaunchedSession): void {
  const index = sessions.findIndex(({ id }) => id === session.id);
  if (index >= 0) sessions.splice(index, 1);
}

export const newInstance = makeNewInstance<ProcessLauncher, IProcessLauncherInitialValues>(extend);

export const ProcessLauncher = { newInstance, extend };
export default ProcessLauncher;
