import { type Model, destroy, isA, newInstance as makeNewInstance } from "./CompositeClosureHelper.js";
import { ReleasedSession, type WebsocketSession } from "./session.js";
import { type SocketLike, frameReader } from "./socket.js";

/** What {@link newInstance} takes. */
export interface ISessionInitialValues {
  /** The socket to use; its owner passes its events on. */
  readonly ws?: SocketLike | null | undefined;
  /** Default: "wslink-secret". */
  readonly secret?: string | undefined;
}

/** A session over a socket that its owner opens and listens to. */
export interface Session extends WebsocketSession {
  /** To be called when the socket is open: says hello, and resolves to this client's id. Rejects with a `Failure`. */
  onconnect(event?: unknown): Promise<string>;
  /** To be called with each message event of the socket. */
  onmessage(event: { readonly data: unknown }): void;
  destroy(): void;
  isA(className: string): boolean;
}

/** Makes `publicAPI` a Session. */
export function extend(publicAPI: object, model: object, initialValues: ISessionInitialValues = {}): void {
  const api = publicAPI as Session;
  const state: Model & ISessionInitialValues = Object.assign(model, { secret: "wslink-secret", ws: null }, initialValues);
  const { ws, secret = "" } = state;
  destroy(api, state);
  isA(api, state, "Session");
  const session = new ReleasedSession(undefined, () => undefined);
  const receive = ws ? session.use(ws) : () => undefined;
  Object.assign(api, session.api, { onconnect: () => session.hello(secret), onmessage: frameReader(receive) });
}

export const newInstance = makeNewInstance<Session, ISessionInitialValues>(extend);

export default { newInstance, extend };
