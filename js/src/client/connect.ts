import { AuthenticationError, UsageError } from "../errors.js";
import { functions, isFunction, isText, must, numbers, objects, tagOf } from "../options.js";
import type { WaitOptions } from "../rpc/deadline.js";
import type { FeatureFactory } from "../session/features/feature.js";
import type { Handler } from "../session/features/handle.js";
import type { Transport, WebSocketConstructor } from "../transports/transport.js";
import { openWebSocket } from "../transports/websocket.js";
import { withDefaults } from "../wire/limits.js";
import type { LaunchedSession } from "./launch.js";
import { Link } from "./link.js";
import { type Page, baseOf, defaultUrl, forgetSecret, pageSecret, socketUrl } from "./page.js";
import { Backoff, type ReconnectOptions } from "./reconnect.js";

/** Options of {@link connect}. */
export interface ConnectOptions extends WaitOptions {
  /** The server's secret. Default: none, or the one in the page's URL; see {@link connect}. */
  readonly secret?: string | undefined;
  /** Gives up connecting after this many milliseconds, with a TimeoutError; the same for each attempt to reconnect. Default: 10,000. 0 waits indefinitely. */
  readonly timeout?: number | undefined;
  /** Gives up connecting when it aborts, with its reason. It has no effect on a connection that is open. */
  readonly signal?: AbortSignal | undefined;
  /**
   * How to reconnect when the connection is lost; with false the link closes instead. A transport that is passed instead of a URL cannot be reopened.
   */
  readonly reconnect?: ReconnectOptions | boolean | undefined;
  /** The `timeout` of calls that give none, in milliseconds. Default: they wait until the link is closed. */
  readonly callTimeout?: number | undefined;
  /** The most bytes in one message, and in all messages under way together; larger ones are skipped. Default: 1,040 MiB. */
  readonly maxMessage?: number | undefined;
  /** The most messages under way in chunks; more are skipped. Default: 64. */
  readonly maxPartial?: number | undefined;
  /** The most bytes of calls, sent or not, that are kept for resumption; with more the session cannot be resumed. Default: 64 MiB. */
  readonly maxResume?: number | undefined;
  /** The WebSocket class to use. Default: the platform's WebSocket; in Node 20, the one of the package `ws`. */
  readonly WebSocket?: WebSocketConstructor | undefined;
  /** The most calls of the server that are served at a time; more fail. Default: 64. */
  readonly maxClientCalls?: number | undefined;
  /** Handlers of the server's calls, by method; see {@link Link.handle}. They are in place before the server can make calls. */
  readonly handlers?: Readonly<Record<string, Handler<never, never>>> | undefined;
  /** Protocol extensions in addition to the built-in ones; the server must support them, too. */
  readonly features?: readonly FeatureFactory[] | undefined;
}

/**
 * Connects to a server and says hello.
 *
 * Without a target it connects to the server that the page, or this module, came from. For that server, and for a URL of the page's
 * own host, it takes the secret from the page's URL (`?secret=...`), removes it from the address bar and keeps it in
 * `sessionStorage`; a page that has none tries without.
 *
 * The link reconnects when its connection is lost: at once, then after random, growing waits.
 *
 * @param target - a `ws:`, `wss:`, `http:` or `https:` URL, relative to the page if need be; a session that {@link launch} started, whose
 *   secret is used then; or a transport that is open. It may be left out: `connect({ secret })`.
 * @throws UsageError for a target that is none of these, and outside a page without one.
 * @throws AuthenticationError if the server refuses the secret.
 * @throws ConnectionError if the server cannot be reached, or closes the connection.
 * @throws TimeoutError if all this takes longer than `timeout`.
 *
 * @example
 * const link = await connect();
 * const light = await link.call("terrain.light", [315], { altitude: 30 });
 */
export async function connect(target?: string | URL | LaunchedSession | Transport, options?: ConnectOptions): Promise<Link>;
export async function connect(options: ConnectOptions): Promise<Link>;
export async function connect(target?: Target | ConnectOptions, options?: ConnectOptions): Promise<Link> {
  objects({ options });
  if (isSession(target)) return connect(target.sessionURL, { ...options, secret: options?.secret ?? target.secret });
  if (!isTarget(target)) {
    must("a URL, a session of launch(), a transport, or options", (value) => tagOf(value) === "Object", { target });
    return connect(undefined, { ...target, ...options });
  }
  const { secret: given, signal, timeout = 10_000, reconnect = true, callTimeout = 0, WebSocket, features = [], handlers = {}, ...others }: ConnectOptions = { ...options };
  const limits = withDefaults(others);
  numbers(0, { timeout, callTimeout });
  objects({ handlers });
  must("a list of functions", (value) => Array.isArray(value) && value.every(isFunction), { features });
  if (WebSocket) functions({ WebSocket });
  if (!isText(given ?? "")) throw new UsageError("secret must be text");
  const page: Page = globalThis;
  const url = isTransport(target) ? undefined : socketUrl(target ?? defaultUrl(import.meta.url, page), baseOf(page));
  const own = url && (!target || new URL(url).host === page.location?.host) ? url : undefined;
  const secret = given ?? (own && pageSecret(own, page));
  const open = async (attempt: AbortSignal): Promise<Transport> => (url ? openWebSocket(url, WebSocket, attempt) : (target as Transport));
  const refused = (): void => {
    if (own) forgetSecret(own, page);
  };
  const backoff = url ? backoffOf(reconnect) : undefined;
  try {
    return await Link.open({ open, backoff, timeout, signal, secret, refused, callTimeout, limits, features, handlers });
  } catch (error) {
    if (error instanceof AuthenticationError) refused();
    throw error;
  }
}

type Target = string | URL | LaunchedSession | Transport;

/** A URL, or a link of a page, is known by its address: it may come from another frame, where its class is another. */
function isTarget(target: unknown): target is Exclude<Target, LaunchedSession> | undefined {
  return target === undefined || isText(target) || "href" in Object(target) || isTransport(target);
}

function isTransport(target: unknown): target is Transport {
  return "listen" in Object(target);
}

function backoffOf(reconnect: ReconnectOptions | boolean): Backoff | undefined {
  must("an object, true or false", (value) => /^(Boolean|Object)$/.test(tagOf(value)), { reconnect });
  return reconnect === false ? undefined : new Backoff(reconnect === true ? {} : reconnect);
}

function isSession(target: unknown): target is LaunchedSession {
  return "sessionURL" in Object(target);
}
