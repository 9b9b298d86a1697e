import type { Assembler, Beginnings } from "../../wire/assembler.js";
import { Received } from "../numbering.js";
import type { Feature } from "./feature.js";

/** Why the server did not resume a session (RES-1); `unsupported` if it never could. */
export type NotResumed = "expired" | "overflow" | "restarted" | "refused" | "unsupported";

/** The part of the response to hello that concerns resumption (RES-1). */
export interface Resumption {
  readonly token: string;
  readonly epoch: string;
  readonly resumed: boolean;
  readonly reason: NotResumed | undefined;
  /** What the server has received of this client's messages, if it has resumed the session. */
  readonly received: number;
  readonly missing: readonly number[];
  /** The messages that the server has received in part, as pairs of number and bytes (RES-13). */
  readonly begun: readonly (readonly [number, number])[];
  /** Seconds of silence after which the client requests a sign of life (RES-11); 0 for never. */
  readonly heartbeat: number;
}

/** How long the server has for a sign of life, in milliseconds (RES-11). */
const ANSWER_WITHIN = 5000;

/** If a timer is this many milliseconds late, everything that has arrived in the meantime was delayed, too. */
const HELD_UP = 1000;

/** The close code of a connection whose session was resumed over another one (RES-9). */
const RESUMED_ELSEWHERE = 4001;

/** The longest silence that a server may ask for, in seconds. */
const MAX_HEARTBEAT = 86_400;

/** The state that is needed to continue after a connection has ended: the token, and what has arrived; and dead-peer detection (RES). */
export class Resume implements Feature {
  readonly name = "resume";
  /** What has arrived; undefined if the server does not support resumption. */
  received: Received | undefined;

  readonly #maxPartial: number;
  readonly #ask: () => void;
  readonly #lost: () => void;
  #last: Resumption | undefined;
  #begun: Beginnings = new Map();
  #heardAt = 0;
  /** Successive connections that ended because the session was resumed elsewhere. */
  #taken = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param ask - requests a sign of life from the server.
   * @param lost - called if there is none: the connection is to be aborted.
   */
  constructor(maxPartial: number, ask: () => void, lost: () => void) {
    this.#maxPartial = maxPartial;
    this.#ask = ask;
    this.#lost = lost;
  }

  /** A connection has ended with this close code. */
  ended(code: number): void {
    this.#taken = code === RESUMED_ELSEWHERE ? this.#taken + 1 : 0;
  }

  /**
   * Whether another client has the same token: the two would take the session from each other for ever (RES-9). Once, the other one may be a late hello
   * of this client itself.
   */
  get isContested(): boolean {
    return this.#taken > 1;
  }

  /** A connection has ended, whose messages the assembler has read. */
  keep(assembler: Assembler): void {
    this.#begun = new Map([...this.#begun, ...assembler.beginnings]);
  }

  /** The resumption data for hello. Without a token, or if too much was sent, it requests a new session. */
  request(overflowed: boolean): object {
    if (!this.#last || !this.received || overflowed || this.isContested) return {};
    const begun = [...this.#begun].map(([number, { received }]) => [number, received]);
    return { token: this.#last.token, received: this.received.last, missing: [...this.received.missing], ...(begun.length && { begun }) };
  }

  /** What acknowledgements include in addition (RES-5). */
  get position(): readonly unknown[] {
    return this.received ? [this.received.last, [...this.received.missing]] : [];
  }

  /** The server has accepted hello; the assembler reads what follows. */
  welcome(resumption: Resumption | undefined, assembler: Assembler): void {
    this.#last = resumption;
    if (resumption?.resumed) assembler.goOn(this.#begun);
    this.#begun = new Map();
    if (!resumption?.resumed) this.received = resumption && new Received(this.#maxPartial);
    this.#listen(Math.min(resumption?.heartbeat ?? 0, MAX_HEARTBEAT) * 1000);
  }

  /** Something has arrived. */
  heard(): void {
    this.#heardAt = performance.now();
  }

  disconnected(): void {
    clearTimeout(this.#timer);
  }

  /** Waits for `silence` milliseconds in which nothing arrives. */
  #listen(silence: number): void {
    clearTimeout(this.#timer);
    if (silence <= 0) return;
    this.heard();
    const look = (): void => {
      const left = this.#heardAt + silence - performance.now();
      if (left > 0) {
        this.#timer = setTimeout(look, left);
      } else {
        this.#ask();
        this.#await(performance.now(), ANSWER_WITHIN, look);
      }
    };
    this.#timer = setTimeout(look, silence);
  }

  #await(askedAt: number, wait: number, look: () => void): void {
    const due = performance.now() + wait;
    this.#timer = setTimeout(() => {
      if (this.#heardAt >= askedAt) look();
      else if (performance.now() > due + HELD_UP) this.#await(askedAt, HELD_UP, look);
      else this.#lost();
    }, wait);
  }
}
