// The inspector's page: signs in, looks at the server again and again, and shows what it tells.

import { ask, Refused, secret, use } from "./asking.js";
import { find, put } from "./dom.js";
import { call, offer, showMethod, stopCall } from "./form.js";
import { COLUMNS, filter, matches, newest, rest, rows, SHOWN } from "./tables.js";
import { bytes } from "./units.js";

const LOG_EVERY = 250; // milliseconds between two looks at the log
const OVERVIEW_EVERY = 1000;
const KEPT = 2000; // entries of the log, and of calls

let timer;
let paused = false;
let shown = "clients";
let overview;
let before; // the overview before, for rates
let end = ""; // where the next look at the log begins
let leftOut = 0;
let looked = 0; // when the overview was asked for
let log = [];
let calls = [];

// Signing in and out -----------------------------------------------------------

async function signIn(offered) {
  use(offered.trim());
  find("#refusal").textContent = "";
  let contract;
  try {
    if (!secret || /[\x00-\x1f\x7f]/.test(secret)) throw new Refused(); // what no header can hold is no secret
    [overview, contract] = await Promise.all([ask("overview"), ask("contract")]);
  } catch (error) {
    use("");
    find("#refusal").textContent = error instanceof Refused ? "This secret is not accepted." : `This did not work: ${error.message}.`;
    find("#secret").select();
    return;
  }
  find("#secret").value = "";
  looked = performance.now();
  open(true);
  offer(contract);
  show();
  find(`#tab-${shown}`).focus();
  lookLater();
}

function signOut(why = "") {
  use("");
  end = "";
  stopCall();
  clearTimeout(timer);
  overview = before = undefined;
  [log, calls, leftOut] = [[], [], 0];
  for (const body of document.querySelectorAll("tbody")) body.replaceChildren();
  find("#trouble").textContent = find("#verdict").textContent = find("#result").textContent = "";
  offer();
  open(false);
  find("#refusal").textContent = why;
  find("#secret").focus();
}

function open(signedIn) {
  find("#sign-in").hidden = signedIn;
  find("main").hidden = find("#sign-out").hidden = !signedIn;
}

// Looking again ------------------------------------------------------------------

function lookLater() {
  clearTimeout(timer);
  if (secret && !document.hidden) timer = setTimeout(look, LOG_EVERY);
}

async function look() {
  const asked = secret;
  const due = performance.now() - looked >= OVERVIEW_EVERY;
  try {
    if (!paused) {
      const [piece, now] = await Promise.all([ask(`log?since=${end}`), due ? ask("overview") : overview]);
      if (secret !== asked) return; // signed out meanwhile
      if (due) [before, overview, looked] = [overview, now, performance.now()];
      if (!paused) take(piece);
      show();
    }
    find("#trouble").textContent = "";
  } catch (error) {
    if (secret !== asked) return;
    if (error instanceof Refused) return signOut("The secret is not accepted any longer.");
    find("#trouble").textContent = `What stands here may be old: ${error.message}.`;
  }
  lookLater();
}

function take(piece) {
  end = piece.end;
  leftOut += piece.left_out;
  log = [...log, ...piece.entries].slice(-KEPT);
  const sent = new Map(piece.entries.filter(({ kind }) => kind === "sent").map((entry) => [keyOf(entry), entry.send]));
  calls = [...calls, ...piece.entries.filter(({ kind }) => kind === "done")].slice(-KEPT);
  // Ids are those of a client's calls, the newest of which is meant.
  for (let place = calls.length - 1; sent.size && place >= 0; place--) {
    const key = keyOf(calls[place]);
    if (sent.has(key)) calls[place] = { ...calls[place], send: sent.get(key) };
    sent.delete(key);
  }
}

const keyOf = ({ client, call }) => `${client} ${call}`;

// Panels -------------------------------------------------------------------------

function show() {
  if (!overview) return;
  showFigures();
  ({ clients: showClients, topics: showTopics, log: showLog, calls: showCalls, form: () => {} })[shown]();
}

function showFigures() {
  const { totals, time: now } = overview;
  const seconds = before ? Math.max(now - before.time, 0.001) : 0;
  const rate = (name) => (seconds ? (totals[name] - before.totals[name]) / seconds : 0);
  const waiting = overview.clients.reduce((total, client) => total + client.waiting, 0);
  const figures = {
    clients: overview.all.clients, received: Math.round(rate("received")), publications: Math.round(rate("publications")),
    bytes: bytes(rate("bytes")), waiting: bytes(waiting), failed: totals.failed,
  };
  for (const [name, value] of Object.entries(figures)) put(find(`[data-figure="${name}"]`), String(value));
}

function showClients() {
  const found = overview.clients.filter(matches).sort((a, b) => a.since - b.since || (a.id < b.id ? -1 : 1));
  rows(find("#clients table"), COLUMNS.clients, found, overview.time);
  const more = overview.all.clients - overview.clients.length;
  rest("#clients .rest", found.length, overview.clients.length, more && `${more} clients for which less waits are left out.`);
}

function showTopics() {
  const { all, topics, subscriptions } = overview;
  const [some, held] = [topics.filter(matches), subscriptions.filter(matches)];
  rows(find("#topic-table"), COLUMNS.topics, some);
  rows(find("#subscription-table"), COLUMNS.subscriptions, held);
  const [topicRest, subscriptionRest] = document.querySelectorAll("#topics .rest");
  const left = (kind, given) => all[kind] - given.length && `${all[kind] - given.length} of ${all[kind]} ${kind} are left out.`;
  rest(topicRest, some.length, topics.length, left("topics", topics));
  rest(subscriptionRest, held.length, subscriptions.length, left("subscriptions", subscriptions));
}

function showLog() {
  const [found, all] = newest(log);
  rows(find("#log table"), COLUMNS.log, found);
  rest("#log .rest", found.length, log.length, leftOut && `${leftOut} messages came faster than they are shown, and were left out.`, all);
}

function showCalls() {
  const running = overview.running.map(({ method, ...one }) => ({ ...one, name: method })).filter(matches);
  const sending = new Map(overview.sending.map((one) => [keyOf(one), one.send]));
  const [ended, all] = newest(calls.map((one) => (sending.has(keyOf(one)) ? { send: sending.get(keyOf(one)), ...one } : one)));
  const found = [...running, ...ended].slice(0, SHOWN);
  rows(find("#calls table"), COLUMNS.calls, found);
  const longest = Math.max(...found.map(({ wait = 0, run = 0, send = 0 }) => wait + run + send), 1e-6);
  found.forEach(({ wait = 0, run = 0, send = 0 }, place) => {
    const parts = find("#calls table").tBodies[0].rows[place].querySelector(".bar").children;
    [wait, run, send].forEach((seconds, index) => (parts[index].style.width = `${(100 * seconds) / longest}%`));
  });
  const more = overview.all.running - overview.running.length;
  rest("#calls .rest", found.length, calls.length + running.length, more && `${more} more calls are under way.`, all + running.length);
}

function choose(name, focus = false) {
  shown = name;
  for (const tab of document.querySelectorAll('[role="tab"]')) {
    const chosen = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    find(`#${tab.getAttribute("aria-controls")}`).hidden = !chosen;
    if (chosen && focus) tab.focus();
  }
  show();
}

function moveTab(event) {
  const tabs = [...document.querySelectorAll('[role="tab"]')];
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const place = (tabs.indexOf(event.target) + step + tabs.length) % tabs.length;
  choose(tabs[place].getAttribute("aria-controls"), true);
}

// Beginning --------------------------------------------------------------------------

find("#place").textContent = location.host;
find("#sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  signIn(find("#secret").value);
});
find("#sign-out").addEventListener("click", () => signOut());
find('[role="tablist"]').addEventListener("click", ({ target }) => target.role === "tab" && choose(target.getAttribute("aria-controls")));
find('[role="tablist"]').addEventListener("keydown", moveTab);
find("#filter").addEventListener("input", ({ target }) => {
  filter(target.value);
  show();
});
find("#pause").addEventListener("click", ({ target }) => {
  paused = !paused;
  target.setAttribute("aria-pressed", String(paused));
  put(target, paused ? "Go on" : "Pause");
});
find("#method").addEventListener("change", showMethod);
find("#call").addEventListener("submit", call);
find("#stop").addEventListener("click", stopCall);
document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (secret && !document.hidden) look();
});
// What stands behind # is not sent, and does not stay in the address.
const brought = new URLSearchParams(location.hash.slice(1)).get("secret");
if (brought) {
  history.replaceState(null, "", location.pathname);
  signIn(brought);
} else find("#secret").focus();
