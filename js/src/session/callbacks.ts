// Functions of the application that a session calls.

/** What a subscriber receives in addition to the payload. */
export interface PublicationInfo {
  readonly topic: string;
  /** Counts the topic's publications on the server. It may skip, and never decreases (MSG-6). */
  readonly number: number;
}

/** Receives a publication. What it throws, or rejects with, is reported and affects nothing else. */
export type Callback<T = unknown> = (payload: T, info: PublicationInfo) => unknown;

/** The context of a call that a handler serves. */
export interface HandlerContext {
  /** Aborts when the server has cancelled or forgotten the call. */
  readonly signal: AbortSignal;
  /** Reports progress to the server, if it asked for it; of several values that wait, only the newest is sent. */
  readonly progress: (value: unknown) => void;
}

/** Serves calls of the server: receives positional arguments, arguments by name, and the context; returns the result, or a promise of it. */
export type Handler<A extends readonly unknown[] = readonly unknown[], K = Readonly<Record<string, unknown>>> = (
  args: A,
  kwargs: K,
  context: HandlerContext,
) => unknown;
