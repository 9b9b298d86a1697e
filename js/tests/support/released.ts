// The released npm clients, which expect a browser around them.
import { WebSocket } from "ws";

export interface ReleasedSession {
  call(method: string, args?: unknown[], kwargs?: object): Promise<unknown>;
  subscribe(topic: string, callback: (payload: [unknown]) => void): { promise: Promise<unknown>; unsubscribe(): void };
  addAttachment(payload: unknown): unknown;
}

interface ReleasedConnection {
  connect(): ReleasedSession;
  getSession(): ReleasedSession;
  onConnectionReady(callback: () => void): void;
  onConnectionError(callback: (connection: unknown, error: unknown) => void): void;
  destroy(timeout: number): void;
}

interface Released {
  readonly WebsocketConnection: { newInstance(options: { urls: string; secret: string }): ReleasedConnection };
}

/** Loads npm 1.12.4 ("wslink1") or 2.5.0 ("wslink2"). */
async function load(name: "wslink1" | "wslink2"): Promise<Released> {
  const location = { protocol: "http:", hostname: "localhost", port: "", pathname: "/" };
  const document = { currentScript: { tagName: "SCRIPT", src: "http://localhost/wslink.js" } };
  Object.assign(globalThis, { self: globalThis, window: { location }, document, WebSocket });
  const module = (await import(name)) as { default: Released };
  return module.default;
}

/** Connects a released client; call `close` in the end. */
export async function connectReleased(
  name: "wslink1" | "wslink2",
  url: string,
  secret = "s3cret",
): Promise<{ session: ReleasedSession; close: () => void }> {
  const connection = (await load(name)).WebsocketConnection.newInstance({ urls: url, secret });
  const ready = new Promise<void>((resolve, reject) => {
    connection.onConnectionReady(resolve);
    connection.onConnectionError((_, error) => reject(new Error(JSON.stringify(error))));
  });
  const session = connection.connect();
  await ready;
  return { session, close: () => connection.destroy(-1) };
}
