import { type EventSubscription, type Model, event, get, newInstance as makeNewInstance, set } from "./CompositeClosureHelper.js";
import DefaultSmartConnect, { type ConfigDecorator, type ISmartConnectConfig, type SmartConnect } from "./SmartConnect.js";
import type { WebsocketCloseEvent, WebsocketConnection, WebsocketSession } from "./WebsocketConnection.js";

/**
 * A method of a protocol. Those that are not in the `notBusyList` count as busy until their promise settles.
 * Written as the type of a method, since parameters of those may be of any kind, and callable all the same.
 */
export type RemoteMethod = { call(...args: readonly unknown[]): unknown }["call"];

/** Makes an application's methods out of a session. */
export type Protocol = (session: WebsocketSession) => Record<string, RemoteMethod>;

export type Protocols = Record<string, Protocol>;

/** What protocols made, by their names. */
export type Remote<P extends Protocols> = { [Name in keyof P]: ReturnType<P[Name]> };

/** The part of {@link SmartConnect} that makes connections. */
export interface SmartConnectClass {
  newInstance(initialValues: { config: ISmartConnectConfig; configDecorator?: ConfigDecorator | null | undefined }): SmartConnect;
}

export interface IWsLinkClientInitialValues<P extends Protocols = Protocols> {
  protocols?: P;
  configDecorator?: ConfigDecorator | null;
  /** Names of methods that do not count as busy. */
  notBusyList?: readonly string[];
  /** How long nothing must be under way before `onBusyChange` is called with 0, in milliseconds. Default: 50. */
  notificationTimeout?: number;
}

/** A connection with protocols, which knows whether calls are under way. */
export interface WsLinkClient<P extends Protocols = Protocols> {
  /** Counts one piece of work more, or less, as under way. */
  beginBusy(): void;
  endBusy(): void;
  isBusy(): boolean;
  isConnected(): boolean;
  /** Resolves when the protocols can be used; rejects with the first argument of the error, or close, that came first. */
  connect(config?: ISmartConnectConfig, configDecorator?: ConfigDecorator | null): Promise<WsLinkClient<P>>;
  /** Closes the connection; a positive `timeout` makes the server exit that many seconds later. Default: 60. */
  disconnect(timeout?: number): void;
  /** Adds a protocol while connected. */
  registerProtocol(name: string, protocol: Protocol): void;
  unregisterProtocol(name: string): void;
  /** Takes effect with the next `connect`. Returns whether it is another value than before. */
  setProtocols(protocols: P): boolean;
  setNotBusyList(names: readonly string[]): boolean;
  setConfigDecorator(decorator: ConfigDecorator | null): boolean;
  getProtocols(): P | undefined;
  getNotBusyList(): readonly string[];
  getConfigDecorator(): ConfigDecorator | null | undefined;
  /** The configuration as the decorator and the launcher left it. */
  getConfig(): ISmartConnectConfig | undefined;
  /** The last connection; null after `disconnect`. */
  getConnection(): WebsocketConnection | null;
  getRemote(): Remote<P>;
  onBusyChange(callback: (count: number) => void): EventSubscription;
  onConnectionReady(callback: (client: WsLinkClient<P>) => void): EventSubscription;
  onConnectionError(callback: (source: WebsocketConnection | XMLHttpRequest, error: unknown) => void): EventSubscription;
  onConnectionClose(callback: (connection: WebsocketConnection, event: WebsocketCloseEvent) => void): EventSubscription;
  invokeBusyChange(count: number): void;
  invokeConnectionReady(client: WsLinkClient<P>): void;
  invokeConnectionError(source: WebsocketConnection | XMLHttpRequest, error: unknown): void;
  invokeConnectionClose(connection: WebsocketConnection, event: WebsocketCloseEvent): void;
  fireBusyChange(count: number): void;
  fireConnectionReady(client: WsLinkClient<P>): void;
  fireConnectionError(source: WebsocketConnection | XMLHttpRequest, error: unknown): void;
  fireConnectionClose(connection: WebsocketConnection, event: WebsocketCloseEvent): void;
}

interface State extends Model {
  protocols?: Protocols;
  notBusyList: readonly string[];
  notificationTimeout: number;
  configDecorator?: ConfigDecorator | null;
  config?: ISmartConnectConfig;
  connection: WebsocketConnection | null;
  connected: boolean;
  remote: Record<string, Record<string, RemoteMethod>>;
  busyCount: number;
  idle?: ReturnType<typeof setTimeout>;
}

const DEFAULTS = { notBusyList: [], notificationTimeout: 50, connection: null, connected: false, busyCount: 0 };
const EVENTS = ["BusyChange", "ConnectionReady", "ConnectionError", "ConnectionClose"];

let smartConnectClass: SmartConnectClass = DefaultSmartConnect;

/** Makes connections by another class than this package's SmartConnect. */
export function setSmartConnectClass(chosen: SmartConnectClass): void {
  smartConnectClass = chosen;
}

/** Makes `publicAPI` a WsLinkClient. */
export function extend(publicAPI: object, model: object, initialValues: IWsLinkClientInitialValues = {}): void {
  const api = publicAPI as WsLinkClient;
  const state: State = Object.assign(model, DEFAULTS, { remote: {} }, initialValues);
  get(api, state, ["protocols", "notBusyList", "configDecorator", "connection", "config", "remote"]);
  for (const name of ["protocols", "notBusyList", "configDecorator"]) addSetter(api, state, name);
  for (const name of EVENTS) addEvent(api, state, name);
  api.beginBusy = () => countBusy(api, state, 1);
  api.endBusy = () => countBusy(api, state, -1);
  api.isBusy = () => state.busyCount > 0;
  api.isConnected = () => state.connected;
  api.connect = (config = {}, configDecorator = null) => connect(api, state, config, configDecorator);
  api.disconnect = (timeout = 60) => {
    const { connection } = state;
    Object.assign(state, { connection: null, connected: false });
    connection?.destroy(timeout);
  };
  api.registerProtocol = (name, protocol) => register(api, state, name, protocol);
  api.unregisterProtocol = (name) => void Reflect.deleteProperty(state.remote, name);
}

/** A setter that says whether anything changed. */
function addSetter(api: object, state: State, name: string): void {
  const before: Record<string, (value: unknown) => void> = {};
  set(before, state, [name]);
  const [[setter, assign]] = Object.entries(before) as [[string, (value: unknown) => void]];
  Object.assign(api, {
    [setter]: (value: unknown) => {
      const changed = (state as unknown as Record<string, unknown>)[name] !== value;
      assign(value);
      return changed;
    },
  });
}

/** Callbacks run at once here: a client is ready for whoever awaits `connect` once they have run. */
function addEvent(api: object, state: State, name: string): void {
  event(api, state, name, false);
  const methods = api as Record<string, unknown>;
  methods[`invoke${name}`] = methods[`fire${name}`];
}

function countBusy(api: WsLinkClient, state: State, delta: number): void {
  state.busyCount += delta;
  clearTimeout(state.idle);
  const notify = (): void => api.invokeBusyChange(state.busyCount);
  // Calls often follow upon each other; between them it does not look idle.
  if (state.busyCount > 0) notify();
  else state.idle = setTimeout(notify, state.notificationTimeout);
}

function connect(api: WsLinkClient, state: State, config: ISmartConnectConfig, decorator: ConfigDecorator | null): Promise<WsLinkClient> {
  if (state.connected) return Promise.reject(new Error("this client is connected: disconnect first"));
  state.config = config;
  state.configDecorator = decorator ?? state.configDecorator ?? null;
  const smartConnect = smartConnectClass.newInstance({ config, configDecorator: state.configDecorator });
  return new Promise((resolve, reject) => {
    smartConnect.onConnectionReady((connection) => {
      state.config = smartConnect.getConfig();
      begin(api, state, connection);
      resolve(api);
    });
    smartConnect.onConnectionError((source: WebsocketConnection | XMLHttpRequest, error) => {
      api.invokeConnectionError(source, error);
      reject(source);
    });
    smartConnect.onConnectionClose((connection, closeEvent) => {
      if (connection === state.connection) state.connected = false;
      api.invokeConnectionClose(connection, closeEvent);
      reject(connection);
    });
    smartConnect.connect();
  });
}

function begin(api: WsLinkClient, state: State, connection: WebsocketConnection): void {
  Object.assign(state, { connection, connected: true, remote: {} });
  for (const [name, protocol] of Object.entries(state.protocols ?? {})) register(api, state, name, protocol);
  api.invokeConnectionReady(api);
}

function register(api: WsLinkClient, state: State, name: string, protocol: Protocol): void {
  const session = state.connection?.getSession();
  if (!session) throw new Error(`the protocol ${name} needs a connection`);
  const methods = Object.entries(protocol(session));
  state.remote[name] = Object.fromEntries(
    methods.map(([method, run]) => [method, state.notBusyList.includes(method) ? run : whileBusy(api, run)]),
  );
}

function whileBusy(api: WsLinkClient, run: RemoteMethod): RemoteMethod {
  return async (...args) => {
    api.beginBusy();
    try {
      return await run(...args);
    } finally {
      api.endBusy();
    }
  };
}

export const newInstance = makeNewInstance<WsLinkClient, IWsLinkClientInitialValues>(extend) as <P extends Protocols = Protocols>(
  initialValues?: IWsLinkClientInitialValues<P>,
) => WsLinkClient<P>;

export const WsLinkClient = { newInstance, extend, setSmartConnectClass };
export default WsLinkClient;

/** What vtk.js calls its own of this kind. */
export const vtkWSLinkClient = WsLinkClient;
export type vtkWSLinkClient<P extends Protocols = Protocols> = WsLinkClient<P>;
