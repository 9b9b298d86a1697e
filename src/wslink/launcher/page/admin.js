// The administrator's page. Whatever the launcher tells is put in as text: logs, names and posted values may be anybody's.
//
// The token stays in this module. Pages that sessions serve through the launcher's proxy have the same origin, so no storage would keep it from them.

const REFRESH = 2000; // milliseconds between two looks
const PATIENCE = 15_000; // milliseconds for one answer; stopping a session takes as long as its processes need
const ENDPOINT = new URL("..", location.href);
const UNITS = [["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]];

const find = (selector) => document.querySelector(selector);
const rows = new Map(); // session id -> its <tbody>
let token = "";
let timer;

/** The launcher knows neither the session nor, it may be, the administrator: it does not tell which. */
class Refused extends Error {}

async function ask(path, method = "GET", timeout = PATIENCE) {
  const options = { method, headers: { Authorization: `Bearer ${token}` }, cache: "no-store", credentials: "omit", redirect: "error" };
  const response = await fetch(new URL(path, ENDPOINT), { ...options, signal: timeout ? AbortSignal.timeout(timeout) : null });
  const Failure = response.status === 404 ? Refused : Error;
  if (!response.ok) throw new Failure(`the launcher answers with ${response.status}`);
  return response;
}

// Signing in and out -----------------------------------------------------------

async function signIn(event) {
  event.preventDefault();
  token = find("#token").value.trim();
  find("#refusal").textContent = "";
  try {
    // What no header can hold is no token.
    if (!/^[\x21-\x7e]+$/.test(token)) throw new Refused();
    show(await (await ask("")).json());
  } catch (error) {
    token = "";
    find("#refusal").textContent = error instanceof Refused ? "This token is not accepted." : `This did not work: ${error.message}.`;
    find("#token").select();
    return;
  }
  find("#token").value = "";
  open(true);
  find("#region").focus();
  refreshLater();
}

function signOut() {
  token = "";
  clearTimeout(timer);
  for (const id of [...rows.keys()]) remove(id);
  find("#trouble").textContent = find("#failure").textContent = "";
  open(false);
  find("#token").focus();
}

function open(signedIn) {
  find("#sign-in").hidden = signedIn;
  find("#overview").hidden = find("#sign-out").hidden = !signedIn;
}

// Looking again -----------------------------------------------------------------

function refreshLater() {
  clearTimeout(timer);
  if (token && !document.hidden) timer = setTimeout(refresh, REFRESH);
}

async function refresh() {
  const asked = token;
  try {
    const overview = await (await ask("")).json();
    if (token !== asked) return; // signed out meanwhile
    show(overview);
    find("#trouble").textContent = "";
  } catch (error) {
    if (token === asked) find("#trouble").textContent = `What stands here may be old: ${error.message}.`;
  }
  refreshLater();
}

function show({ sessions, free_ports, starts, failures }) {
  const present = new Set(sessions.map(({ id }) => id));
  for (const id of [...rows.keys()]) if (!present.has(id)) remove(id);
  sessions.sort((a, b) => b.created - a.created);
  sessions.forEach((session, place) => showSession(session, place));
  find("#none").hidden = sessions.length > 0;
  const sum = (name) => sessions.reduce((total, session) => total + (session[name] ?? 0), 0);
  const figures = { sessions: sessions.length, clients: sum("clients"), memory: bytes(sum("memory")), free_ports, starts, failures };
  for (const [name, value] of Object.entries(figures)) find(`[data-figure="${name}"]`).textContent = value;
}

// One session -------------------------------------------------------------------

function showSession(session, place) {
  const row = rows.get(session.id) ?? add(session);
  row.session = session;
  const { id, age, memory } = session;
  const shown = { ...session, id: id.slice(0, 8), age: duration(age), memory: bytes(memory) };
  for (const cell of row.querySelectorAll("[data-field]")) cell.textContent = shown[cell.dataset.field];
  row.querySelector(".state").dataset.state = session.state;
  row.querySelector(".stop").disabled = session.state === "stopping";
  const table = find("table");
  // A row that is put where it stands already would lose the focus.
  if (table.tBodies[place] !== row) table.insertBefore(row, table.tBodies[place] ?? null);
  if (!row.querySelector("tr.log").hidden) showLog(row);
}

function add({ id, application }) {
  const row = find("#session").content.cloneNode(true).firstElementChild;
  const name = `${application}, session ${id.slice(0, 8)}`;
  const [log, stop, text] = [row.querySelector("button.log"), row.querySelector("button.stop"), row.querySelector("pre")];
  row.querySelector('[data-field="id"]').title = id;
  text.id = `log-${id}`;
  text.setAttribute("aria-label", `Log of ${name}`);
  log.setAttribute("aria-controls", text.id);
  log.setAttribute("aria-label", `Log of ${name}`);
  stop.setAttribute("aria-label", `Stop ${name}`);
  log.addEventListener("click", () => toggleLog(row));
  stop.addEventListener("click", () => askToStop(row));
  rows.set(id, row);
  return row;
}

function remove(id) {
  const row = rows.get(id);
  if (row.contains(document.activeElement)) find("#region").focus();
  row.remove();
  rows.delete(id);
}

function toggleLog(row) {
  const line = row.querySelector("tr.log");
  line.hidden = !line.hidden;
  row.querySelector("button.log").setAttribute("aria-expanded", String(!line.hidden));
  if (!line.hidden) showLog(row);
}

async function showLog(row) {
  const text = row.querySelector("pre");
  try {
    const log = await (await ask(`${encodeURIComponent(row.session.id)}/log`)).text();
    if (log === text.textContent) return;
    const atEnd = text.scrollTop + text.clientHeight >= text.scrollHeight - 4;
    text.textContent = log || "It has written nothing.";
    if (atEnd) text.scrollTop = text.scrollHeight;
  } catch (error) {
    text.textContent = `The log cannot be had: ${error.message}.`;
  }
}

function askToStop(row) {
  const { application, id, clients } = row.session;
  const dialog = find("#confirm");
  find("#consequence").textContent = `${application}, session ${id.slice(0, 8)}: its processes end, and so do its connections (${clients}).`;
  dialog.returnValue = "";
  find("#failure").textContent = "";
  dialog.onclose = () => dialog.returnValue === "stop" && stop(row);
  dialog.showModal();
}

async function stop(row) {
  row.querySelector("button.log").focus(); // a button that is switched off would lose it
  row.querySelector(".stop").disabled = true;
  try {
    await ask(encodeURIComponent(row.session.id), "DELETE", 0);
  } catch (error) {
    // The next look shows whether it has gone all the same.
    find("#failure").textContent = `Session ${row.session.id.slice(0, 8)} was not stopped: ${error.message}.`;
  }
  if (token) await refresh();
}

// As people read it -------------------------------------------------------------

function duration(seconds) {
  const place = UNITS.findIndex(([, size]) => seconds >= size);
  if (place < 0) return "0 s";
  const [[unit, size], [smaller, part] = []] = UNITS.slice(place);
  const rest = part ? Math.floor((seconds % size) / part) : 0;
  return `${Math.floor(seconds / size)} ${unit}${rest ? ` ${rest} ${smaller}` : ""}`;
}

function bytes(count) {
  if (count === null) return "–"; // it runs where the launcher cannot look
  const units = ["B", "kiB", "MiB", "GiB", "TiB"];
  let step = 0;
  for (; count >= 1000 && step < units.length - 1; step++) count /= 1024;
  return `${step && count < 10 ? count.toFixed(1) : Math.round(count)} ${units[step]}`;
}

find("#place").textContent = `${ENDPOINT.host}${ENDPOINT.pathname}`;
find("#sign-in").addEventListener("submit", signIn);
find("#sign-out").addEventListener("click", signOut);
document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (token && !document.hidden) refresh();
});
find("#token").focus();
