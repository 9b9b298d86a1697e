// Functions of the application that a session calls.

/** What a subscriber gets besides the payload. */
export interface PublicationInfo {
  readonly topic: string;
  /** Counts the topic's publications on the server. It may skip, and never decreases (MSG-6). */
  readonly number: number;
}

/** Takes a publication. What it throws, or rejects with, is reported and stops nothing else. */
export type Callback<T = unknown> = (payload: T, info: PublicationInfo) => unknown;

/** What a handler may know of the call that it serves. */
export interface HandlerContext {
  /** Aborts when the server gives the call up, or has forgotten it. */
  readonly signal: AbortSignal;
  /** Tells the server how far the call has come, where it wants to know; of what waits only the newest is sent. */
  readonly progress: (value: unknown) => void;
}

/** Serves calls of the server: gets positional arguments, arguments by name, and the context; returns the result, or a promise of it. */
export type Handler<A extends readonly unknown[] = readonly unknown[], K = Readonly<Record<string, unknown>>> = (
  args: A,
  kwargs: K,
  context: HandlerContext,
) => unknown;
