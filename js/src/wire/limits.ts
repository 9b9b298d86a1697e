import { numbers, refuse } from "../options.js";

/** The bytes in front of every chunk (G2-2), and the room that is left in front of a message (G2-9). */
export const HEADER_LENGTH = 12;

/** The largest frame, header included, until the response to hello names the server's, in bytes (G2-5). */
export const DEFAULT_FRAME_SIZE = 524_288;

/** The most bytes that a chunk's header can count (G2-2). */
export const MAX_TOTAL = 0xffff_ffff;

/** The most small chunks that wait to be joined, in all messages together: their cost is not in proportion to their bytes. */
export const MAX_SMALL_CHUNKS = 65_536;

/** How deep lists and maps may nest in one message, both ways. */
export const MAX_DEPTH = 512;

/** What a server can make this side keep. */
export interface Limits {
  /** The most bytes in one message, and in all partial messages together (LIM-3). Default: 1,040 MiB: 1 GiB, and what comes beside it. */
  readonly maxMessage: number;
  /** The most messages under way in chunks (LIM-4). Default: 64. */
  readonly maxPartial: number;
  /** The most bytes of this side's messages that are kept for a connection that may come (RES-4). Default: 64 MiB. */
  readonly maxResume: number;
  /** The most calls of the server that this side runs at a time (LIM-20). Default: 64. */
  readonly maxClientCalls: number;
}

/**
 * The limits that are chosen, and the defaults of docs/protocol/limits.md for the rest.
 *
 * @throws UsageError for a limit that is no number from 1 on, and for options that there are not.
 */
export function withDefaults(
  { maxMessage = 1040 * 2 ** 20, maxPartial = 64, maxResume = 2 ** 26, maxClientCalls = 64, ...others }: { readonly [name in keyof Limits]?: number | undefined },
): Limits {
  refuse(others);
  const limits = { maxMessage, maxPartial, maxResume, maxClientCalls };
  numbers(1, limits);
  return limits;
}
