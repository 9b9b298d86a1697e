import { CallError, ConnectionError, ProtocolError } from "../errors.js";

/** The code of errors that the client itself raises: no connection, no response in time, arguments that cannot be sent. */
export const CLIENT_ERROR = -32099;

/** What promises of the compatibility API reject with: a plain object, not an `Error`. */
export interface Failure {
  /** -32099, or the server's code; see {@link ErrorCode}. */
  readonly code: number;
  readonly message: string;
  /** What the server added: `{ method, exception }` for -32001, often the method's name otherwise. */
  readonly data?: unknown;
}

export function clientFailure(message: string): Failure {
  return { code: CLIENT_ERROR, message };
}

/** An error as the compatibility API has it. */
export function toFailure(error: unknown): Failure {
  if (error instanceof CallError) {
    const { code, reason, data } = error;
    return { code, message: reason, ...(data !== undefined && { data }) };
  }
  if (error instanceof ProtocolError) return { code: error.code, message: error.message };
  return clientFailure(error instanceof Error ? error.message : String(error));
}

/** An error for what waits on a connection that is not there any more. */
export function connectionClosed(event: { readonly code?: number; readonly reason?: string } = {}): ConnectionError {
  const { code = 1006, reason = "" } = event;
  return new ConnectionError(`the connection is closed (${reason ? `${code}, ${reason}` : code})`, code, reason);
}
