import { UnsupportedError } from "../errors.js";
import { CLOSE_TIMEOUT, type WebSocketConstructor, type WebSocketLike } from "./transport.js";

/** The largest frame that is received where this package opens the socket itself, in bytes; browsers have no such limit. */
const MAX_FRAME = 2 ** 30;

/** Node 20 has no WebSocket of its own. Browsers never come here: client.js is built without it, and package.json says to bundlers that `ws` is nothing there. */
export async function importWebSocket(): Promise<WebSocketConstructor> {
  const { WebSocket } = (await import(/* webpackIgnore: true */ "ws").catch((cause: unknown) => {
    throw new UnsupportedError('there is no WebSocket here; in Node before 22, install the package "ws"', { cause });
  })) as { WebSocket: new (url: string, options: object) => WebSocketLike };
  return class extends WebSocket {
    constructor(url: string) {
      super(url, { maxPayload: MAX_FRAME, perMessageDeflate: false, closeTimeout: CLOSE_TIMEOUT });
    }
  };
}
