// The list of applications. Whatever the launcher tells is put in as text: names and logs may be anybody's.
//
// The token stays in this module, as on the administrator's page: sessions serve pages of the same origin.

import { launch } from "./client.js";

const ENDPOINT = new URL(`${document.documentElement.dataset.endpoint}/`, document.baseURI);
const SIGN_IN = Boolean(document.documentElement.dataset.signIn);

const find = (selector, within = document) => within.querySelector(selector);
let token = "";
let permitted = {};

const headers = () => (token ? { Authorization: `Bearer ${token}` } : {});

/** Lists what may be started; asks who it is where the launcher wants to know. */
async function list() {
  const response = await fetch(new URL("applications", ENDPOINT), { headers: headers(), cache: "no-store", redirect: "error" });
  if (response.status === 401) return askForToken();
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `the launcher answers with ${response.status}`);
  find("#sign-in").hidden = true;
  find("#sign-out").hidden = !SIGN_IN;
  find("#applications").replaceChildren(...answer.applications.map(card));
  permitted = answer.sessions;
  await listOwn();
  if (!answer.applications.length) find("#trouble").textContent = "The launcher has no applications.";
}

function askForToken() {
  if (SIGN_IN) {
    find("#log-in").hidden = false;
    return;
  }
  if (token) find("#refusal").textContent = "This token is not accepted.";
  token = "";
  find("#sign-in").hidden = false;
  find("#token").select();
}

async function listOrTell() {
  find("#trouble").textContent = find("#refusal").textContent = "";
  try {
    await list();
  } catch (error) {
    find("#trouble").textContent = `The applications cannot be listed: ${error.message}.`;
  }
}

// One application ---------------------------------------------------------------

function card({ name, values }) {
  const form = find("#application").content.cloneNode(true).firstElementChild;
  find("h2", form).textContent = name;
  find(".start", form).setAttribute("aria-label", `Start ${name}`);
  find(".log", form).setAttribute("aria-label", `Log of ${name}`);
  find(".values", form).append(...values.map(field));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    start(form, name);
  });
  return form;
}

function field(name) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  input.name = name;
  label.append(name, input);
  return label;
}

async function start(form, application) {
  const given = [...new FormData(form)].filter(([, value]) => value !== "");
  const cancel = new AbortController();
  const say = (text) => (find(".state", form).textContent = text);
  const onProgress = (progress) => {
    if (progress.state === "starting") say("It is starting.");
    if (progress.state === "waiting") say(progress.for ? `It waits: ${progress.for}` : "It is starting.");
  };
  find(".error", form).textContent = find(".log", form).textContent = "";
  find(".log", form).hidden = find(".session", form).hidden = true;
  find(".cancel", form).onclick = () => cancel.abort(new Error("it was cancelled"));
  busy(form, true);
  say("It is asked for.");
  try {
    const session = await launch(ENDPOINT, { ...Object.fromEntries(given), application }, { onProgress, headers: headers(), signal: cancel.signal });
    say("It is ready.");
    await lead(form, session);
  } catch (error) {
    say("");
    tellError(form, error);
  } finally {
    busy(form, false);
  }
}

function busy(form, is) {
  find(".start", form).disabled = is;
  find(".cancel", form).hidden = !is;
}

function tellError(form, { message, log, exitCode }) {
  const code = exitCode === undefined || exitCode === null ? "" : ` Its exit code is ${exitCode}.`;
  find(".error", form).textContent = `It did not start: ${message.replace(/[.]$/, "")}.${code}`;
  find(".log", form).textContent = log ?? "";
  find(".log", form).hidden = !log;
}

// Own sessions ------------------------------------------------------------------

/** Lists what the user has left, where the launcher knows users. */
async function listOwn() {
  const { sessions } = permitted.get ? await ask("GET", "") : { sessions: [] };
  find("#own").hidden = !sessions.length;
  find("#own ul").replaceChildren(...sessions.map(own));
}

function own({ id, application, created }) {
  const item = find("#own-session").content.cloneNode(true).firstElementChild;
  const since = new Date(created * 1000).toLocaleString();
  find(".name", item).textContent = `${application}, since ${since}`;
  find(".open", item).setAttribute("aria-label", `Open ${application}, since ${since}`);
  find(".end", item).setAttribute("aria-label", `End ${application}, since ${since}`);
  find(".end", item).hidden = !permitted.delete;
  find(".open", item).onclick = () => attempt(async () => lead(item, await ask("POST", `${id}/attach`)));
  find(".end", item).onclick = () => attempt(() => ask("DELETE", id).finally(listOwn));
  return item;
}

async function ask(method, path) {
  const response = await fetch(new URL(path, ENDPOINT), { method, headers: headers(), cache: "no-store", redirect: "error" });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `the launcher answers with ${response.status}`);
  return answer;
}

async function attempt(action) {
  find("#own .error").textContent = "";
  try {
    await action();
  } catch (error) {
    find("#own .error").textContent = `That did not work: ${error.message.replace(/[.]$/, "")}.`;
  }
}

// The session -------------------------------------------------------------------

/** Goes to the session's own page; where it has none, tells what programs connect to. */
async function lead(form, { id, sessionURL, secret }) {
  const page = pageOf(id, sessionURL);
  if (page && (await isPage(page))) {
    if (secret) page.searchParams.set("secret", secret); // the page takes it out of its address
    location.assign(page);
    return;
  }
  const told = find(".session", form);
  const address = document.createElement("code");
  address.textContent = sessionURL;
  told.replaceChildren("It serves no page. Programs connect to ", address);
  told.hidden = false;
}

/** Where the launcher's proxy serves a session, in a `sessionURL` that leads through it. */
function pageOf(id, sessionURL) {
  const through = /^ws(s?:\/\/.*\/session\/([^/?#]+)\/[^/?#]+\/)/.exec(sessionURL);
  const page = through?.[2] === id ? new URL(`http${through[1]}`) : undefined;
  return page?.origin === location.origin ? page : undefined;
}

async function isPage(address) {
  try {
    const response = await fetch(address, { cache: "no-store" });
    await response.body?.cancel();
    return response.ok && /^text\/html\b/.test(response.headers.get("Content-Type") ?? "");
  } catch {
    return false;
  }
}

find("#sign-out").addEventListener("click", async () => {
  try {
    await ask("POST", "logout");
    location.reload();
  } catch (error) {
    find("#trouble").textContent = `You are still signed in: ${error.message}.`;
  }
});
find("#sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  const given = find("#token").value.trim();
  if (!/^[\x21-\x7e]+$/.test(given)) {
    find("#refusal").textContent = "This token is not accepted.";
    return;
  }
  token = given;
  find("#token").value = "";
  listOrTell();
});
listOrTell();
