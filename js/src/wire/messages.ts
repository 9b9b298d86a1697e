import { ErrorCode, ProtocolError } from "../errors.js";
import { isText, tagOf } from "../options.js";
import type { Decoded, Decoder } from "./decoder.js";
import { parseId } from "./ids.js";

/** The result of a call. */
export interface ResponseMessage {
  readonly kind: "response";
  readonly id: string;
  readonly result: unknown;
}

/** The error of a call. */
export interface ErrorMessage {
  readonly kind: "error";
  readonly id: string;
  readonly code: number;
  readonly message: string;
  readonly data: unknown;
}

export interface Publication {
  readonly kind: "publication";
  readonly topic: string;
  readonly number: number;
  readonly payload: unknown;
  /** Which subscriptions it matches, where the server keeps them (SUB-6). */
  readonly subscriptions: readonly number[] | undefined;
  /** The span that it was made in (TRC-1), unchecked. */
  readonly traceparent: unknown;
}

/** A call of the server's (HND-1). */
export interface CallMessage {
  readonly kind: "call";
  readonly id: string;
  readonly method: string;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  /** Whether the server wants to know how far it has come (PRG-1). */
  readonly progress: boolean;
  /** The span that it was made in (TRC-1), unchecked. */
  readonly traceparent: unknown;
}

/** A message that could not be read. */
export interface Unreadable {
  readonly kind: "unreadable";
  /** The id that it carries, where that could be read: the call it responds to. */
  readonly id: string | undefined;
  readonly error: ProtocolError;
}

/** A message of an extension: an array whose first item is its type (EXT-4). */
export interface ExtensionMessage {
  readonly kind: "extension";
  readonly type: number;
  readonly items: readonly unknown[];
}

/** What a server sends. */
export type ServerMessage = ResponseMessage | ErrorMessage | CallMessage | Publication | ExtensionMessage | Unreadable;

/** What a server sends of its own accord, or under an id that no call waits for. */
export type UnaskedMessage = ResponseMessage | CallMessage | Publication | ExtensionMessage;

/** Decodes and checks a message from the server. */
export function readMessage(decoder: Decoder, bytes: Uint8Array): ServerMessage {
  let envelope: unknown;
  try {
    envelope = decoder.decode(bytes);
    return parse(envelope);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const read = (envelope ?? decoder.outermost) as Decoded | null | undefined;
    return { kind: "unreadable", id: parseId(read?.id) && (read?.id as string), error };
  }
}

function parse(envelope: unknown): ServerMessage {
  if (Array.isArray(envelope) && Number.isInteger(envelope[0])) {
    return { kind: "extension", type: envelope[0] as number, items: envelope };
  }
  if (!isMap(envelope)) throw invalid("it is not a map");
  const id = parseId(envelope.id);
  if (!id) throw invalid(`id is not "<kind>:<name>:<number>"`);
  if ("method" in envelope) return parseCall(envelope.id as string, envelope);
  if ("error" in envelope) return parseError(envelope.id as string, envelope.error);
  if (!("result" in envelope)) throw invalid("it has neither result nor error");
  if (id.kind !== "publish") return { kind: "response", id: envelope.id as string, result: envelope.result };
  const { result: payload, subscriptions, traceparent } = envelope;
  if (subscriptions !== undefined && !isNumberList(subscriptions)) throw invalid("subscriptions is not a list of integers");
  return { kind: "publication", topic: id.name, number: id.number, payload, subscriptions, traceparent };
}

function parseCall(id: string, { method, args = [], kwargs = {}, progress = false, traceparent }: Decoded): CallMessage {
  if (!isText(method) || !Array.isArray(args) || !isMap(kwargs)) throw invalid("it is not a call");
  return { kind: "call", id, method, args, kwargs, progress: progress === true, traceparent };
}

function parseError(id: string, error: unknown): ErrorMessage {
  if (!isMap(error)) throw invalid("error is not a map");
  const { code, message, data } = error;
  if (!Number.isInteger(code) || !isText(message)) throw invalid("error has no code and message");
  return { kind: "error", id, code: code as number, message, data };
}

function isMap(value: unknown): value is Decoded {
  return tagOf(value) === "Object";
}

function isNumberList(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every(Number.isInteger);
}

function invalid(why: string): ProtocolError {
  return new ProtocolError(ErrorCode.invalidRequest, `a message from the server is not one: ${why}`);
}
