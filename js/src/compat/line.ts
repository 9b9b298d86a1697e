import { CLIENT_ERROR, type Failure } from "./error.js";
import { ReleasedSession } from "./session.js";
import { OPEN, type SocketLike, createSocket, listen } from "./socket.js";

/** The shortest and the longest wait before a connection is tried again, in milliseconds; each wait is twice the one before. */
const FIRST_WAIT = 500;
const LONGEST_WAIT = 10_000;

/** How a line is opened. */
export interface LineOptions {
  readonly secret: string;
  /** Whether `globalThis.WSLINK` makes the sockets. */
  readonly proxied: boolean;
  /** How many times in a row to try again where the connection cannot be made or breaks. */
  readonly retries: number;
  readonly callTimeout: number | undefined;
}

export interface LineEvents {
  ready(): void;
  error(reason: unknown): void;
  /** An accepted connection ended, or the last attempt to make one failed. */
  closed(event: unknown): void;
}

/** One connection to a server: opens sockets, says hello, and tries again where it may. */
export class Line {
  readonly session: ReleasedSession;

  readonly #options: LineOptions;
  readonly #events: LineEvents;
  #url = "";
  #socket: SocketLike | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  /** How often it may still be tried; the server's refusal and a close of our own leave none. */
  #left = 0;
  #wait = FIRST_WAIT;

  constructor(options: LineOptions, events: LineEvents) {
    this.#options = options;
    this.#events = events;
    this.session = new ReleasedSession(options.callTimeout, () => this.#giveUp());
  }

  /** The URL of the socket; undefined where there is none. */
  get url(): string | undefined {
    return this.#socket?.url;
  }

  /**
   * Connects, unless it is connected, or connecting, to that very URL.
   *
   * @throws what opening a socket throws.
   */
  connect(url: string): void {
    if (this.#socket && this.#socket.readyState <= OPEN && url === this.#url) return;
    this.disconnect();
    this.#url = url;
    this.#left = this.#options.retries;
    this.#wait = FIRST_WAIT;
    this.#open();
  }

  /** Closes the connection, without an event. */
  disconnect(): void {
    const socket = this.#socket;
    this.#giveUp();
    this.#socket = undefined;
    this.session.end({ code: 1000, reason: "closed by this client" });
    socket?.close();
  }

  #open(): void {
    const socket = createSocket(this.#url, this.#options.proxied);
    this.#socket = socket;
    listen(socket, this.session.use(socket));
    const current = (act: () => void): void => {
      if (socket === this.#socket) act();
    };
    socket.onopen = () => void this.#greet(socket);
    socket.onerror = (event) => current(() => this.#failed(event));
    socket.onclose = (event) => current(() => this.#closed(event));
  }

  async #greet(socket: SocketLike): Promise<void> {
    try {
      await this.session.hello(this.#options.secret);
    } catch (failure) {
      // The end of a connection is reported by its close.
      if (socket !== this.#socket || (failure as Failure).code === CLIENT_ERROR) return;
      this.#giveUp();
      this.#events.error(failure);
      return;
    }
    this.#left = this.#options.retries;
    this.#wait = FIRST_WAIT;
    this.#events.ready();
  }

  #failed(event: unknown): void {
    if (this.#left === 0) this.#events.error(event);
  }

  #closed(event: { readonly code?: number; readonly reason?: string }): void {
    this.#socket = undefined;
    const accepted = this.session.end(event);
    // Attempts are not reported one by one: the end of a connection is, and that of the last attempt.
    if (accepted || this.#left === 0) this.#events.closed(event);
    if (this.#left > 0) this.#retryLater();
  }

  #retryLater(): void {
    this.#left -= 1;
    this.#retry = setTimeout(() => {
      try {
        this.#open();
      } catch (error) {
        this.#giveUp();
        this.#events.error(error);
      }
    }, this.#wait);
    this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT);
  }

  #giveUp(): void {
    this.#left = 0;
    clearTimeout(this.#retry);
  }
}
