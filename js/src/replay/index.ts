// A script for pages of `wslink replay --static`: it stands before all others, and the page's WebSockets to its own host lead to a recording.
import { Pace } from "./player.js";
import { ReplaySocket } from "./socket.js";
import { type Tape, readTape } from "./tape.js";

/** What a page, or who is curious, may ask of the recording that is played, as `wslinkReplay`. */
export interface Replay {
  /** Seconds of the recording per second; 0 pauses. */
  speed: number;
  /** Sends the next publications at once. */
  step(count?: number): void;
  /** Publications that were sent over the newest connection. */
  readonly position: number;
  /** Done once the recording is loaded. */
  readonly ready: Promise<{ readonly publications: number }>;
}

/** Begins to load a recording, and lets WebSockets of the page to its own host lead there. */
export function install(page: typeof globalThis, url: URL, search: string): Replay {
  const wish = new URLSearchParams(search).get("replay") ?? "";
  const speed = wish === "step" ? 0 : wish === "max" ? Infinity : Number(wish) || 1;
  const pace = new Pace(speed, new URLSearchParams(search).has("loop"));
  const tape = load(url);
  tape.catch(() => undefined); // each socket says so
  const Real = page.WebSocket;
  let newest: ReplaySocket | undefined;
  page.WebSocket = new Proxy(Real, {
    construct(target, [address, ...rest]: [string | URL, ...unknown[]]) {
      const wanted = new URL(address, page.location.href);
      if (wanted.host !== page.location.host) return Reflect.construct(target, [address, ...rest]) as WebSocket;
      return (newest = new ReplaySocket(wanted.href, tape, pace));
    },
  });
  return {
    get speed() {
      return pace.speed;
    },
    set speed(chosen) {
      pace.speed = chosen;
    },
    step: (count = 1) => pace.step(count),
    get position() {
      return newest?.position ?? 0;
    },
    ready: tape.then(({ shown }) => ({ publications: shown.length })),
  };
}

async function load(url: URL): Promise<Tape> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url.href}: ${response.status} ${response.statusText}`);
  return readTape(new Uint8Array(await response.arrayBuffer()));
}

const script = typeof document === "undefined" ? null : document.currentScript;
if (script instanceof HTMLScriptElement && script.dataset.recording !== undefined) {
  const replay = install(globalThis, new URL(script.dataset.recording, document.baseURI), location.search);
  replay.ready.catch(() => undefined);
  Object.assign(globalThis, { wslinkReplay: replay });
}
