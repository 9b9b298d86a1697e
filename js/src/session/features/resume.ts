import type { Assembler, Beginnings } from "../../wire/assembler.js";
import { Received } from "../numbering.js";
import type { Feature } from "./feature.js";

/** Why the server did not take a session up again (RES-1); `unsupported` where it never could. */
export type NotResumed = "expired" | "overflow" | "restarted" | "refused" | "unsupported";

/** What the response to hello says of resumption (RES-1). */
export interface Resumption {
  readonly token: string;
  readonly epoch: string;
  readonly resumed: boolean;
  readonly reason: NotResumed | undefined;
  /** What the server has of this client's messages, where it has resumed. */
  readonly received: number;
  readonly missing: readonly number[];
  /** How much the server has of messages that are not whole there, as pairs of number and bytes (RES-13). */
  readonly begun: readonly (readonly [number, number])[];
  /** Seconds of silence after which the client asks for a sign of life (RES-11); 0 for never. */
  readonly heartbeat: number;
}

/** How long the server has to give a sign of life, in milliseconds (RES-11). */
const ANSWER_WITHIN = 5000;

/** A timer that is so many milliseconds late was held up together with everything that has arrived meanwhile. */
const HELD_UP = 1000;

/** The close code of a connection whose session was resumed over another one (RES-9). */
const RESUMED_ELSEWHERE = 4001;

/** The longest that a server may have clients wait before they ask, in seconds. */
const MAX_HEARTBEAT = 86_400;

/** What it takes to go on after a connection has ended: the token, and what has arrived; and the signs that it has not (RES). */
export class Resume implements Feature {
  readonly name = "resume";
  /** What has arrived; undefined where the server does not resume. */
  received: Received | undefined;

  readonly #maxPartial: number;
  readonly #ask: () => void;
  readonly #lost: () => void;
  #last: Resumption | undefined;
  #begun: Beginnings = new Map();
  #heardAt = 0;
  /** Connections one after another that ended because the session was resumed elsewhere. */
  #taken = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param ask - asks the server for a sign of life.
   * @param lost - there is none: the connection is to be given up.
   */
  constructor(maxPartial: number, ask: () => void, lost: () => void) {
    this.#maxPartial = maxPartial;
    this.#ask = ask;
    this.#lost = lost;
  }

  /** A connection has ended, with that close code. */
  ended(code: number): void {
    this.#taken = code === RESUMED_ELSEWHERE ? this.#taken + 1 : 0;
  }

  /**
   * Whether another client has the token, too: the two would take the session from one another for ever (RES-9). Once, it may be this client's own hello
   * that was late.
   */
  get isContested(): boolean {
    return this.#taken > 1;
  }

  /** A connection has ended, which the assembler read. */
  keep(assembler: Assembler): void {
    this.#begun = new Map([...this.#begun, ...assembler.beginnings]);
  }

  /** What hello says; without a token, or where too much was sent, a new session is asked for. */
  request(overflowed: boolean): object {
    if (!this.#last || !this.received || overflowed || this.isContested) return {};
    const begun = [...this.#begun].map(([number, { received }]) => [number, received]);
    return { token: this.#last.token, received: this.received.last, missing: [...this.received.missing], ...(begun.length && { begun }) };
  }

  /** What an acknowledgement adds (RES-5). */
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
