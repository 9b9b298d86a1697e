import { afterEach, beforeEach, vi } from "vitest";
import { type ConnectOptions, type Link, connect } from "../../src/index.js";
import { type Connection, ScriptedServer, WELCOME_WITH_FEATURES } from "./peer.js";

let server: ScriptedServer;
let links: Link[] = [];

/** What the client reported instead of throwing it. */
export let reported: unknown[];

beforeEach(() => {
  server = new ScriptedServer();
  reported = [];
  vi.spyOn(console, "error").mockImplementation((error) => void reported.push(error));
});

afterEach(async () => {
  vi.restoreAllMocks();
  for (const link of links) void link.close();
  links = [];
  await server.stop();
});

export function url(): Promise<string> {
  return server.url();
}

export function nextConnection(): Promise<Connection> {
  return server.connection();
}

/** A link and the scripted server's end of it. */
export async function linked(
  welcome: unknown = WELCOME_WITH_FEATURES,
  options: ConnectOptions = {},
): Promise<{ link: Link; peer: Connection }> {
  const linking = connect(await server.url(), { secret: "s3cret", ...options });
  const peer = await server.connection();
  await peer.welcome(welcome);
  const link = await linking;
  links.push(link);
  return { link, peer };
}

/** Waits until everything that was sent before has been received and handled. */
export async function settled(link: Link, peer: Connection): Promise<void> {
  const done = link.call("sync");
  let call = await peer.next();
  while (call.method !== "sync") call = await peer.next();
  peer.answer(call, null);
  await done;
}
