import { AuthenticationError, ErrorCode, ProtocolError } from "../errors.js";
import { isText } from "../options.js";
import { VERSION } from "../version.js";
import { HEADER_LENGTH } from "../wire/limits.js";
import { isCount } from "./numbering.js";
import type { NotResumed, Resumption } from "./features/resume.js";

/** The server's response to hello (HELLO-2, EXT-2). Released servers send only part of it. */
export interface Welcome {
  readonly clientId: string;
  /** The accepted extensions. */
  readonly features: readonly string[];
  /** Undefined for a released server. */
  readonly server: { readonly name: string; readonly version: string } | undefined;
  /** The largest frame that the server accepts, including the header, in bytes (G2-5). */
  readonly maxMsgSize: number | undefined;
  /** The resumption data; undefined if the server does not support it (RES-1). */
  readonly resumption: Resumption | undefined;
}

/** The argument of hello; without features, it is that of a released client (HELLO-1, EXT-1, RES-1). */
export function helloOf(secret: string | undefined, features: readonly string[] | undefined, resume?: object): object {
  return features ? { secret, features, client: { name: "wslink", version: VERSION }, ...(resume && { resume }) } : { secret };
}

/**
 * Parses the response to hello.
 *
 * @throws ProtocolError if it is malformed.
 */
export function readWelcome(response: unknown): Welcome {
  const { clientID, maxMsgSize, features = [], server, resume } = (response ?? {}) as Record<string, unknown>;
  if (typeof clientID !== "string" || !/^\w+$/.test(clientID)) throw badWelcome("clientID");
  if (maxMsgSize !== undefined && !(typeof maxMsgSize === "number" && maxMsgSize > HEADER_LENGTH)) throw badWelcome("maxMsgSize");
  if (!Array.isArray(features) || !features.every(isText)) throw badWelcome("features");
  return { clientId: clientID, maxMsgSize, features, server: readServer(server), resumption: readResumption(resume) };
}

/** The error for a refused hello, in terms of the secret. */
export function refusal(error: AuthenticationError, secret: string | undefined): AuthenticationError {
  error.message = `${error.reason}: ${secret === undefined ? "no secret was given" : "the secret is wrong"}`;
  return error;
}

function readServer(server: unknown): Welcome["server"] {
  const { name, version } = (server ?? {}) as Record<string, unknown>;
  return isText(name) && isText(version) ? { name, version } : undefined;
}

function readResumption(resume: unknown): Resumption | undefined {
  if (resume === undefined) return undefined;
  const { token, epoch, resumed, reason, received, missing = [], begun = [], heartbeat } = Object(resume) as Record<string, unknown>;
  const counts = Array.isArray(missing) && missing.every(isCount) && (resumed !== true || isCount(received));
  if (!isText(token) || !isText(epoch) || !counts || !isPairs(begun)) throw badWelcome("resume");
  return {
    token,
    epoch,
    resumed: resumed === true,
    reason: isText(reason) ? (reason as NotResumed) : undefined,
    received: Number(received),
    missing,
    begun,
    heartbeat: typeof heartbeat === "number" ? heartbeat : 0,
  };
}

function isPairs(value: unknown): value is Resumption["begun"] {
  return Array.isArray(value) && value.every(Array.isArray);
}

function badWelcome(key: string): ProtocolError {
  return new ProtocolError(ErrorCode.invalidRequest, `the response to hello has no usable ${key} (HELLO-2)`);
}
