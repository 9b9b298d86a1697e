import {
  type EventSubscription,
  type Model,
  chain,
  destroy,
  event,
  get,
  isA,
  newInstance as makeNewInstance,
  set,
} from "./CompositeClosureHelper.js";
import { newInstance as newLauncher } from "./ProcessLauncher.js";
import {
  type WebsocketCloseEvent,
  type WebsocketConnection,
  type WebsocketSession,
  exitLater,
  newInstance as newConnection,
} from "./WebsocketConnection.js";
import { clientFailure } from "./error.js";
import { defaultSessionManagerUrl, defaultSessionUrl, withPageHost } from "./page.js";
import type { Untyped } from "./session.js";

/** The launcher that is asked where the configuration names neither a launcher nor a server. */
export const DEFAULT_SESSION_MANAGER_URL: string = /* @__PURE__ */ defaultSessionManagerUrl();

/** The server that is connected to where no launcher responds. */
export const DEFAULT_SESSION_URL: string = /* @__PURE__ */ defaultSessionUrl();

/** How to reach a server. Whatever else it holds is posted to the launcher. */
export interface ISmartConnectConfig {
  /** The server. USE_HOST and USE_HOSTNAME stand for the page's. Without it, a launcher is asked to start one. */
  sessionURL?: string | undefined;
  /** The launcher. Default: `paraview/` beside the page. */
  sessionManagerURL?: string | undefined;
  /** What the launcher is to start. */
  application?: string | undefined;
  /** Default: "wslink-secret". */
  secret?: string | undefined;
  /** How often to try again where no connection can be made or one breaks; `true` for ever. Default: never. */
  retry?: boolean | number | undefined;
  /** Whether `globalThis.WSLINK.createWebSocket(url)` makes the socket. */
  wsProxy?: unknown;
  /** As `wsProxy`. */
  iframe?: unknown;
  /** HTTP headers for the launcher. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Waits before each repetition of a request that the launcher refuses with 503, in milliseconds. Default: none is repeated. */
  launcherRetry?: readonly number[] | undefined;
  /** The timeout of calls that give none, in milliseconds. Default: they wait until the connection ends. */
  callTimeout?: number | undefined;
  [name: string]: unknown;
}

/** Rewrites a configuration before it is used. */
export type ConfigDecorator = (config: ISmartConnectConfig) => ISmartConnectConfig;

export interface ISmartConnectInitialValues {
  config?: ISmartConnectConfig;
  configDecorator?: ConfigDecorator | null | undefined;
}

/** What an error event is: a `Failure`, the event of a WebSocket, or the `error` of the launcher's response. */
export type Event = Untyped;

export type { EventSubscription, WebsocketCloseEvent };

/** Connects to a server, which it has a launcher start if need be. */
export interface SmartConnect {
  connect(): void;
  /**
   * The session; it can be used once ConnectionReady has fired. It is null before a connection is tried and after `destroy`, which the
   * released types leave out.
   */
  getSession(): WebsocketSession;
  getConfig(): ISmartConnectConfig;
  getConfigDecorator(): ConfigDecorator | null | undefined;
  setConfigDecorator(decorator: ConfigDecorator | null): void;
  /** Closes the connection. A positive `timeout` makes the server exit that many seconds later. Default: it does not. */
  destroy(timeout?: number): void;
  isA(className: string): boolean;
  onConnectionReady(callback: (connection: WebsocketConnection) => void): EventSubscription;
  /** The source is the connection, or the `XMLHttpRequest` that the launcher refused. */
  onConnectionError(callback: (source: Untyped, error: Event) => void): EventSubscription;
  onConnectionClose(callback: (connection: WebsocketConnection, event: WebsocketCloseEvent) => void): EventSubscription;
  fireConnectionReady(connection: WebsocketConnection): void;
  fireConnectionError(source: WebsocketConnection | XMLHttpRequest, error: Event): void;
  fireConnectionClose(connection: WebsocketConnection, event: WebsocketCloseEvent): void;
}

interface State extends Model {
  config: ISmartConnectConfig;
  configDecorator?: ConfigDecorator | null;
  subscriptions: EventSubscription[];
  session: WebsocketSession | null;
  /** What ends with this object. */
  parts?: { destroy(): void }[];
}

/** Makes `publicAPI` a SmartConnect. */
export function extend(publicAPI: object, model: object, initialValues: ISmartConnectInitialValues = {}): void {
  const api = publicAPI as SmartConnect;
  const state = Object.assign(model, { config: {}, session: null, parts: [] }, initialValues) as unknown as State;
  destroy(api, state);
  for (const name of ["ConnectionReady", "ConnectionClose", "ConnectionError"]) event(api, state, name);
  isA(api, state, "SmartConnect");
  get(api, state, ["config", "configDecorator"]);
  set(api, state, ["configDecorator"]);
  api.connect = () => connect(api, state);
  api.getSession = () => (state.session ?? null) as WebsocketSession;
  api.destroy = chain((timeout?: number) => end(state, timeout), api.destroy);
}

function connect(api: SmartConnect, state: State): void {
  decorate(state, state.config);
  const { config } = state;
  if (config.sessionURL) {
    dial(api, state);
  } else if (config.wsProxy) {
    // The proxy decides where it leads, but a connection needs a URL.
    config.sessionURL = "wss://proxy/";
    dial(api, state);
  } else {
    launch(api, state);
  }
}

/** Has the application rewrite the configuration, and puts the page's host into it. */
function decorate(state: State, config: ISmartConnectConfig): void {
  state.config = state.configDecorator ? state.configDecorator(config) : config;
  if (state.config.sessionURL) state.config.sessionURL = withPageHost(state.config.sessionURL);
}

function dial(api: SmartConnect, state: State): void {
  const { sessionURL: urls, secret, retry, iframe, wsProxy, callTimeout } = state.config;
  const connection = newConnection({ urls, secret, retry, wsProxy: Boolean(iframe) || wsProxy, callTimeout });
  state.subscriptions.push(
    connection.onConnectionReady((ready) => {
      state.session = ready.getSession();
      api.fireConnectionReady(ready);
    }),
    connection.onConnectionError(api.fireConnectionError),
    connection.onConnectionClose(api.fireConnectionClose),
  );
  state.parts?.push(connection);
  state.session = connection.connect();
  if (![urls ?? []].flat()[0]) api.fireConnectionError(connection, clientFailure("there is no sessionURL to connect to"));
}

function launch(api: SmartConnect, state: State): void {
  const launcher = newLauncher({ endPoint: state.config.sessionManagerURL ?? defaultSessionManagerUrl() });
  state.subscriptions.push(
    launcher.onProcessReady((session) => {
      decorate(state, { ...state.config, ...session });
      dial(api, state);
    }),
    launcher.onError((request) => {
      const { error } = (request.response ?? {}) as { error?: unknown };
      if (error) return api.fireConnectionError(request, error);
      // There is no launcher: the page may come from the server itself.
      state.config.sessionURL = defaultSessionUrl();
      dial(api, state);
    }),
  );
  state.parts?.push(launcher);
  launcher.start(state.config);
}

function end(state: State, timeout = 0): void {
  const { session, parts = [] } = state; // a destroyed one has neither
  if (session) {
    if (timeout > 0) exitLater(session, timeout);
    void session.close();
  }
  for (const part of parts.splice(0)) part.destroy();
}

export const newInstance = makeNewInstance<SmartConnect, ISmartConnectInitialValues>(extend);

export const SmartConnect = { newInstance, extend };
export default SmartConnect;
