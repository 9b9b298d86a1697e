import { type EventSubscription, type Model, chain, destroy, event, isA, newInstance as makeNewInstance } from "./CompositeClosureHelper.js";
import { Line, type LineEvents } from "./line.js";
import type { WebsocketSession } from "./session.js";

export type { Failure } from "./error.js";
export type { SessionSubscription, SubscriberInfo, SubscriptionCallback, WebsocketSession } from "./session.js";
export type { SocketFactory, SocketLike } from "./socket.js";

/** The secret of servers that were started without one of their own. */
const DEFAULT_SECRET = "wslink-secret";

/** How long a server outlives a connection that is destroyed without saying how long, in seconds. */
const DEFAULT_EXIT_DELAY = 10;

/** How a connection ended: a `CloseEvent` where the browser's WebSocket was used. */
export interface WebsocketCloseEvent {
  /** The WebSocket close code, where the closing side gave one. */
  readonly code?: number;
  readonly reason?: string;
}

/** What {@link newInstance} takes. */
export interface IWebsocketConnectionInitialValues {
  /** Where to connect to, `ws:` or `wss:`. Of a list, the first is used. */
  readonly urls?: string | readonly string[] | undefined;
  /** Default: "wslink-secret". */
  readonly secret?: string | undefined;
  /**
   * How often to try again where no connection can be made or one breaks; `true` for ever. Each attempt waits twice as long, from
   * 0.5 s to 10 s. A connection that breaks fires ConnectionClose, and ConnectionReady once it is back; subscriptions stay.
   * Default: never.
   */
  readonly retry?: boolean | number | undefined;
  /** Whether `globalThis.WSLINK.createWebSocket(url)` makes the socket. */
  readonly wsProxy?: unknown;
  /** The timeout of calls that give none, in milliseconds. Default: they wait until the connection ends. */
  readonly callTimeout?: number | undefined;
  /** Of the released types; nothing reads them. */
  readonly connection?: unknown;
  readonly session?: unknown;
}

/** A connection to one server. */
export interface WebsocketConnection {
  /** Connects. Returns the session, which can be used once ConnectionReady has fired, or null where there is nothing to connect to. */
  connect(): WebsocketSession | null;
  /** The session of the last `connect`. It is null before the first and undefined after `destroy`, which the released types leave out. */
  getSession(): WebsocketSession;
  /** The URL that it is connected to; undefined where it is not. */
  getUrl(): string | undefined;
  /** Closes the connection. A positive `timeout` makes the server exit that many seconds later. Default: 10. */
  destroy(timeout?: number): void;
  isA(className: string): boolean;
  onConnectionReady(callback: (connection: WebsocketConnection) => void): EventSubscription;
  onConnectionError(callback: (connection: WebsocketConnection, error: unknown) => void): EventSubscription;
  onConnectionClose(callback: (connection: WebsocketConnection, event: WebsocketCloseEvent) => void): EventSubscription;
  fireConnectionReady(connection: WebsocketConnection): void;
  fireConnectionError(connection: WebsocketConnection, error: unknown): void;
  fireConnectionClose(connection: WebsocketConnection, event: WebsocketCloseEvent): void;
}

type State = Model & IWebsocketConnectionInitialValues & { session: WebsocketSession | null };

/** Makes `publicAPI` a WebsocketConnection. */
export function extend(publicAPI: object, model: object, initialValues: IWebsocketConnectionInitialValues = {}): void {
  const api = publicAPI as WebsocketConnection;
  const state: State = Object.assign(model, { retry: false, wsProxy: false, session: null }, initialValues);
  destroy(api, state);
  for (const name of ["ConnectionReady", "ConnectionClose", "ConnectionError"]) event(api, state, name);
  isA(api, state, "WebsocketConnection");
  const line = openLine(state, {
    ready: () => api.fireConnectionReady(api),
    error: (reason) => api.fireConnectionError(api, reason),
    closed: (closeEvent) => api.fireConnectionClose(api, closeEvent as WebsocketCloseEvent),
  });
  api.connect = () => connect(api, state, line);
  api.getSession = () => state.session as WebsocketSession;
  api.getUrl = () => line.url;
  api.destroy = chain((timeout = DEFAULT_EXIT_DELAY) => hangUp(line, timeout), api.destroy);
}

function openLine({ secret, retry, wsProxy, callTimeout }: State, events: LineEvents): Line {
  // A `retry` that is not a number of attempts counts as 0, as it does for released clients.
  const retries = retry === true ? Infinity : Math.max(0, Math.floor(Number(retry ?? 0)) || 0);
  return new Line(
    { secret: (secret === "" ? undefined : secret) ?? DEFAULT_SECRET, proxied: Boolean(wsProxy), retries, callTimeout: positive(callTimeout) },
    events,
  );
}

/** A number from a configuration, which may come from a page's URL as text; undefined for what is none, or not positive. */
function positive(value: unknown): number | undefined {
  const number = typeof value === "boolean" ? 0 : Number(value);
  return number > 0 ? number : undefined;
}

function connect(api: WebsocketConnection, state: State, line: Line): WebsocketSession | null {
  const [url] = [state.urls ?? []].flat();
  if (!url) return null;
  try {
    line.connect(url);
  } catch (error) {
    console.error(error);
    api.fireConnectionError(api, error);
    return null;
  }
  state.session = line.session.api;
  return state.session;
}

function hangUp(line: Line, timeout: number): void {
  if (timeout > 0 && line.session.open) exitLater(line.session.api, timeout);
  line.disconnect();
}

/** Asks the server to exit. The response is not awaited: the connection is closed before it can arrive. */
export function exitLater(session: WebsocketSession, timeout: number): void {
  session.call("application.exit.later", [timeout]).catch(() => undefined);
}

export const newInstance = makeNewInstance<WebsocketConnection, IWebsocketConnectionInitialValues>(extend);

export const WebsocketConnection = { newInstance, extend };
export default WebsocketConnection;
