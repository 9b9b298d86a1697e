import { isText } from "../options.js";

/** The parts of a message id (MSG-2). */
export interface Id {
  readonly kind: "rpc" | "publish" | "system";
  /** The client of a call, or the topic of a publication. */
  readonly name: string;
  readonly number: number;
}

/** The id of the first message of every connection (HELLO-1). */
export const HELLO_ID = "system:c0:0";

const ID = /^(rpc|publish|system):(\w+(?:\.\w+)*):(\d+)$/;

/** The parts of `text`, or undefined where it is not an id (MSG-2). */
export function parseId(text: unknown): Id | undefined {
  const match = isText(text) && ID.exec(text);
  return match ? { kind: match[1] as Id["kind"], name: match[2] as string, number: Number(match[3]) } : undefined;
}
