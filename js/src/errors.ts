/*
 * All errors that this package throws:
 *
 *   WslinkError
 *   ├── CallError               the server responded to a call with an error
 *   │   └── AuthenticationError   ... because of the secret
 *   ├── TimeoutError            no response, or no connection, in time
 *   ├── ConnectionError         the connection is closed, or was never opened
 *   ├── LaunchError             a launcher did not start a session
 *   ├── MethodError             thrown by a handler to choose the error that the server gets
 *   ├── ProtocolError           the server sent something that docs/protocol does not allow
 *   ├── UnsupportedError        the server, or the platform, does not support a feature
 *   └── UsageError              the library was called incorrectly
 */

/** Error codes, as in docs/protocol/messages.md. Methods may choose their own. */
export const ErrorCode = {
  /** A frame or message cannot be decoded. */
  parse: -32700,
  /** A message was decoded, but is not valid. */
  invalidRequest: -32600,
  /** The server has no such method. */
  methodNotFound: -32601,
  /** Arguments, a filter or a topic are refused. */
  invalidParams: -32602,
  /** The secret is wrong, or there was no successful hello yet. */
  authentication: -32000,
  /** The method raised. */
  exception: -32001,
  /** The method's result cannot be encoded. */
  notSerializable: -32002,
  /** A limit of docs/protocol/limits.md was reached. */
  limit: -32003,
  /** The server does not allow this client to do it. */
  notAuthorized: -32004,
  /** The call was running when its session moved to another worker. A link rejects it with a ConnectionError. */
  interrupted: -32005,
  /** The caller cancelled the call. */
  cancelled: -32800,
  /** A newer call of a latest-wins method replaced one that was waiting. */
  superseded: -32801,
} as const;

/** The base class of all errors that this package throws. */
export class WslinkError extends Error {
  override name = "WslinkError";
}

/** The server responded to a call with an error. The message says what went wrong; a raised exception's text is part of it. */
export class CallError extends WslinkError {
  override name = "CallError";

  constructor(
    /** The method that was called. */
    readonly method: string,
    /** One of {@link ErrorCode}, or the method's own. */
    readonly code: number,
    /** The server's message; the error's `message` has the method before it and a raised exception's text after it. */
    readonly reason: string,
    /** The error's data: `{ method, exception }` for -32001, often the method's name otherwise. */
    readonly data?: unknown,
  ) {
    // Some reasons begin with the method already.
    super(`${reason.startsWith(`${method}: `) ? "" : `${method}: `}${reason}${exceptionText(data)}`);
  }
}

/** The server refused the secret, or has not accepted one yet (-32000). */
export class AuthenticationError extends CallError {
  override name = "AuthenticationError";
}

/** No response, or no connection, within the time given. The server cancels what it was asked where it can (see CallOptions), and may have done it. */
export class TimeoutError extends WslinkError {
  override name = "TimeoutError";

  constructor(
    what: string,
    /** The time that was given, in milliseconds. */
    readonly timeout: number,
  ) {
    super(`${what}: no response within ${timeout} ms`);
  }
}

/** The connection is closed, or could not be opened. Every call that waits for a response rejects with it. */
export class ConnectionError extends WslinkError {
  override name = "ConnectionError";

  constructor(
    message: string,
    /** The WebSocket close code; 1006 when the connection broke or was never opened. */
    readonly code: number,
    /** The reason that the closing side gave; may be empty. */
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A launcher did not start a session. The message is the launcher's. */
export class LaunchError extends WslinkError {
  override name = "LaunchError";
  /** The exit code of a process that ended before it was ready. */
  readonly exitCode: number | undefined;
  /** The end of the process's output, without secrets. */
  readonly log: string | undefined;

  constructor(
    message: string,
    /** The HTTP status: 503 if all ports are in use or the session did not start, 400 for a bad request; 0 without a response. */
    readonly status: number,
    { exitCode, log, cause }: { readonly exitCode?: unknown; readonly log?: unknown; readonly cause?: unknown } = {},
  ) {
    super(message, { cause });
    this.exitCode = exitCode as number | undefined;
    this.log = log as string | undefined;
  }
}

/** Thrown by a handler of {@link Link.handle} to choose the error that the server gets: its message, code and data. */
export class MethodError extends WslinkError {
  override name = "MethodError";
  /** -32001 unless given. */
  readonly code: number;
  /** Any value that can be sent. */
  readonly data: unknown;

  constructor(message: string, { code = ErrorCode.exception, data }: { readonly code?: number; readonly data?: unknown } = {}) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

/** The server sent something that docs/protocol does not allow. Only the message at fault is lost; the connection stays open. */
export class ProtocolError extends WslinkError {
  override name = "ProtocolError";

  constructor(
    /** -32700, -32600 or -32003 of {@link ErrorCode}. */
    readonly code: number,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The server, or the platform, does not support the feature: a released 2.x server has no filters, for example. */
export class UnsupportedError extends WslinkError {
  override name = "UnsupportedError";
}

/** The library was called incorrectly, for example to send a function. */
export class UsageError extends WslinkError {
  override name = "UsageError";
}

function exceptionText(data: unknown): string {
  const exception = (data as { exception?: unknown } | null | undefined)?.exception;
  return typeof exception === "string" ? `: ${exception}` : "";
}
