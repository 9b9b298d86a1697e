/** The most characters of a `traceparent` that are looked at (TRC-2). */
const MAX_TRACEPARENT = 512;

const FORM = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/s;

/** A span of another process, as OpenTelemetry has it. */
export interface RemoteSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** 1 where its maker may have recorded it, 0 otherwise. */
  readonly traceFlags: number;
  readonly isRemote: true;
}

/** The span that `value`, whatever a peer sent, stands for; undefined where that is malformed (TRC-2). */
export function readTraceparent(value: unknown): RemoteSpan | undefined {
  if (typeof value !== "string" || value.length > MAX_TRACEPARENT) return undefined;
  const [, version, traceId = "", spanId = "", flags = "", more] = FORM.exec(value) ?? [];
  if (!version || version === "ff" || (version === "00" && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: parseInt(flags, 16) & 1, isRemote: true };
}

/** What stands for a span (TRC-1). */
export function writeTraceparent({ traceId, spanId, traceFlags }: { traceId: string; spanId: string; traceFlags: number }): string {
  return `00-${traceId}-${spanId}-0${traceFlags & 1}`;
}
