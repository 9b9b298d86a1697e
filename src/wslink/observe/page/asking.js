// Questions to the server, with the secret.
//
// It stays in this module. Pages of the application have the same origin, so no storage would keep it from them.

const PATIENCE = 15_000; // milliseconds for one answer
const BASE = new URL("inspect/", location.href);

export let secret = ""; // "" where nobody is signed in

/** Nothing was done. */
export class Declined extends Error {}

export class Refused extends Declined {}

export function use(offered) {
  secret = offered;
}

export async function ask(path) {
  return (await request(path, { signal: AbortSignal.timeout(PATIENCE) })).json();
}

export async function request(path, options) {
  const headers = { Authorization: `Bearer ${asBytes(secret)}` };
  const response = await fetch(new URL(path, BASE), { headers, cache: "no-store", credentials: "omit", redirect: "error", ...options });
  if (response.status === 401) throw new Refused("the secret is not accepted any longer");
  if (!response.ok) throw new Declined(`the server answers with ${response.status}`);
  return response;
}

/** A header holds bytes: those of UTF-8, each as a character. */
const asBytes = (text) => String.fromCharCode(...new TextEncoder().encode(text));
