// The released API, from two makers: ours, and npm 2.5.0 as the oracle. Both expect a page around them.
import { WebSocket } from "ws";
import type { IWebsocketConnectionInitialValues, WebsocketConnection, WebsocketSession } from "../../src/compat/WebsocketConnection.js";
import { nextConnection, url } from "./linked.js";
import { type Connection, WELCOME } from "./peer.js";

export type Compat = Pick<
  typeof import("../../src/index.js"),
  "SmartConnect" | "WebsocketConnection" | "ProcessLauncher" | "CompositeClosureHelper"
>;

export const PAGE = { protocol: "http:", hostname: "page", port: "8080", host: "page:8080", pathname: "/app/index.html" };

const document = {
  baseURI: "http://page:8080/app/",
  currentScript: { tagName: "SCRIPT", src: "http://page:8080/app/wslink.js" },
};
/** One message per turn of the event loop, as in browsers. */
class BrowserWebSocket extends WebSocket {
  constructor(address: string) {
    super(address, { allowSynchronousEvents: false });
  }
}

Object.assign(globalThis, { self: globalThis, window: globalThis, location: PAGE, document, WebSocket: BrowserWebSocket });

export const ours = (): Promise<Compat> => import("../../src/index.js");

const oracle = "wslink2";
export const released = async (): Promise<Compat> => ((await import(oracle)) as { default: Compat }).default;

/** For `describe.each`: what both must do alike. */
export const MAKERS = [
  ["ours", ours],
  ["npm 2.5.0", released],
] as const;

export interface Opened {
  readonly connection: WebsocketConnection;
  readonly session: WebsocketSession;
  readonly peer: Connection;
  /** What the connection fired, oldest first: the event's name, and the arguments behind the connection. */
  readonly events: [string, ...unknown[]][];
  /** Resolves with the next event of that name, or one that has fired. */
  fired(this: void, name: string): Promise<unknown[]>;
}

type Watchable = Record<`onConnection${"Ready" | "Error" | "Close"}`, (callback: (...args: unknown[]) => void) => unknown>;

/** Notes what a connection fires. */
export function watch(connection: Watchable): Pick<Opened, "events" | "fired"> {
  const events: Opened["events"] = [];
  const waiting: (() => void)[] = [];
  const note = (name: string) => (...[, ...args]: unknown[]) => {
    events.push([name, ...args]);
    for (const wake of waiting.splice(0)) wake();
  };
  connection.onConnectionReady(note("ready"));
  connection.onConnectionError(note("error"));
  connection.onConnectionClose(note("close"));
  const fired = async (name: string): Promise<unknown[]> => {
    for (;;) {
      const found = events.find(([each]) => each === name);
      if (found) return found.slice(1);
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };
  return { events, fired };
}

/** A connection that is ready, and the scripted server's end of it. */
export async function opened(make: () => Promise<Compat>, options: IWebsocketConnectionInitialValues = {}): Promise<Opened> {
  const { WebsocketConnection } = await make();
  const connection = WebsocketConnection.newInstance({ urls: await url(), secret: "s3cret", ...options });
  const watched = watch(connection);
  connection.connect();
  const peer = await nextConnection();
  await peer.welcome(WELCOME);
  await watched.fired("ready");
  return { connection, session: connection.getSession(), peer, ...watched };
}

/** What a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  let result: unknown;
  try {
    result = await promise;
  } catch (reason) {
    return reason;
  }
  throw new Error(`it resolved to ${String(result)}`);
}
