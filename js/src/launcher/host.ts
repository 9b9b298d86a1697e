/** A host as a page's `location` has it. */
export interface Host {
  readonly host: string;
  readonly hostname: string;
}

/** A URL in which USE_HOSTNAME and USE_HOST stand for a host's. */
export function withHost(url: string, { host, hostname }: Host): string {
  return url.replaceAll("USE_HOSTNAME", hostname).replaceAll("USE_HOST", host);
}
