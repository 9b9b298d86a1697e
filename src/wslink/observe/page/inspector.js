// The inspector's page. Whatever the server tells is put in as text: names, filters and arguments may be anybody's.
//
// The secret stays in this module. Pages of the application have the same origin, so no storage would keep it from them.

const LOG_EVERY = 250; // milliseconds between two looks at the log
const OVERVIEW_EVERY = 1000;
const PATIENCE = 15_000; // milliseconds for one answer
const CALL_PATIENCE = 70_000; // and for each part of that of a call, which the server gives up after 60 s without one
const ITEMS = 200; // of a stream, that are shown: the newest
const KEPT = 2000; // entries of the log, and of calls
const SHOWN = 200; // rows of the log, and of calls: newest first
const BASE = new URL("inspect/", location.href);

const find = (selector) => document.querySelector(selector);
let secret = "";
let timer;
let paused = false;
let shown = "clients";
let words = [];
let contract = { methods: {} };
let overview;
let before; // the overview before, for rates
let end = ""; // where the next look at the log begins
let leftOut = 0;
let looked = 0; // when the overview was asked for
let log = [];
let calls = [];
let stop; // stops the call of the form that is under way

class Declined extends Error {} // nothing was done

class Refused extends Declined {}

async function ask(path) {
  return (await request(path, { signal: AbortSignal.timeout(PATIENCE) })).json();
}

async function request(path, options) {
  const headers = { Authorization: `Bearer ${asBytes(secret)}` };
  const response = await fetch(new URL(path, BASE), { headers, cache: "no-store", credentials: "omit", redirect: "error", ...options });
  if (response.status === 401) throw new Refused("the secret is not accepted any longer");
  if (!response.ok) throw new Declined(`the server answers with ${response.status}`);
  return response;
}

/** A header holds bytes: those of UTF-8, each as a character. */
const asBytes = (text) => String.fromCharCode(...new TextEncoder().encode(text));

// Signing in and out -----------------------------------------------------------

async function signIn(offered) {
  secret = offered.trim();
  find("#refusal").textContent = "";
  try {
    if (!secret || /[\x00-\x1f\x7f]/.test(secret)) throw new Refused(); // what no header can hold is no secret
    [overview, contract] = await Promise.all([ask("overview"), ask("contract")]);
  } catch (error) {
    secret = "";
    find("#refusal").textContent = error instanceof Refused ? "This secret is not accepted." : `This did not work: ${error.message}.`;
    find("#secret").select();
    return;
  }
  find("#secret").value = "";
  looked = performance.now();
  open(true);
  fillMethods();
  show();
  find(`#tab-${shown}`).focus();
  lookLater();
}

function signOut(why = "") {
  secret = end = "";
  stop?.();
  clearTimeout(timer);
  overview = before = undefined;
  [log, calls, leftOut] = [[], [], 0];
  contract = { methods: {} };
  for (const body of document.querySelectorAll("tbody")) body.replaceChildren();
  find("#trouble").textContent = find("#verdict").textContent = find("#result").textContent = "";
  find("#arguments").replaceChildren();
  find("#method").replaceChildren();
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

// Rows ---------------------------------------------------------------------------

const cell = (name, text, kind = "") => ({ name, text, kind });
const COLUMNS = {
  clients: [
    cell("id", ({ id }) => short(id)),
    cell("address", ({ address }) => address || "–"),
    cell("user", ({ user }) => user || "–"),
    cell("state", ({ state }) => state),
    cell("since", ({ since }) => (since ? duration(overview.time - since) : "–"), "number"),
    cell("rtt", ({ rtt }) => time(rtt), "number"),
    cell("lag", ({ lag }) => time(lag), "number"),
    cell("in_flight", ({ in_flight: count }) => bytes(count), "number"),
    cell("window", ({ window: count }) => (count ? bytes(count) : "–"), "number"),
    cell("waiting", ({ waiting }) => bytes(waiting), "number"),
    cell("dropped", ({ dropped }) => dropped, "number"),
    cell("subscriptions", ({ subscriptions }) => subscriptions || "–", "number"),
  ],
  topics: [
    cell("name", ({ name }) => name),
    cell("delivery", ({ delivery }) => delivery),
    cell("subscriptions", ({ subscriptions }) => subscriptions, "number"),
    cell("publications", ({ publications }) => publications, "number"),
    cell("bytes", ({ bytes: count }) => bytes(count), "number"),
  ],
  subscriptions: [
    cell("client", ({ client }) => short(client)),
    cell("topic", ({ topic }) => topic),
    cell("filter", ({ filter }) => filter || "everything", "long"),
    cell("lag", ({ lag }) => time(lag), "number"),
    cell("rtt", ({ rtt }) => time(rtt), "number"),
    cell("window", ({ window: count }) => count || "–", "number"),
    cell("dropped", ({ dropped }) => dropped, "number"),
    cell("quality", ({ quality }) => quality.toFixed(2), "number"),
  ],
  log: [
    cell("time", ({ time: when }) => clock(when)),
    cell("kind", ({ kind }) => KINDS[kind] ?? kind),
    cell("name", ({ name }) => name),
    cell("client", ({ client, clients = 0 }) => (client ? short(client) : `${clients} clients`)),
    cell("size", ({ kind, size = 0 }) => (kind === "call" || kind === "publication" ? bytes(size) : ""), "number"),
    cell("text", ({ kind, text = "", run = 0, send = 0 }) => (kind === "done" ? `${status(text)}, ${time(run)}` : kind === "sent" ? `waited ${time(send)} for the line` : text), "long"),
  ],
  calls: [
    cell("time", ({ time: when }) => (when ? clock(when) : "runs")),
    cell("name", ({ name }) => name),
    cell("client", ({ client }) => short(client)),
    cell("status", ({ text }) => (text ? status(text) : "–")),
    cell("wait", ({ wait = 0 }) => time(wait), "number"),
    cell("run", ({ run = 0 }) => time(run), "number"),
    cell("send", ({ send = 0 }) => time(send), "number"),
    cell("timeline", null, "timeline"),
  ],
};
const KINDS = { call: "→ call", done: "← result", sent: "← sent", publication: "← publication", client: "client" };

/** Shows records in the rows of a table, which stay where they are: what is new costs the cells whose text has changed. */
function rows(table, columns, records) {
  const body = table.tBodies[0];
  while (body.rows.length > records.length) body.rows[body.rows.length - 1].remove();
  records.forEach((record, place) => {
    const row = body.rows[place] ?? body.appendChild(rowOf(columns));
    columns.forEach(({ text }, index) => text && put(row.cells[index], String(text(record))));
    row.dataset.kind = record.kind ?? record.state ?? "";
    row.title = record.id ?? record.client ?? "";
  });
}

function rowOf(columns) {
  const row = document.createElement("tr");
  for (const { name, kind } of columns) {
    const one = row.appendChild(document.createElement("td"));
    one.className = kind;
    one.dataset.field = name;
    if (kind === "timeline") one.append(barOf());
  }
  return row;
}

function barOf() {
  const bar = document.createElement("span");
  bar.className = "bar";
  for (const part of ["wait", "run", "send"]) bar.appendChild(document.createElement("span")).className = part;
  return bar;
}

function put(one, text) {
  if (one.textContent !== text) one.textContent = text;
}

/** Whether a record has all the words of the filter, and none of those behind a "-". */
function matches(record) {
  if (!words.length) return true;
  const text = Object.values(record).concat(KINDS[record.kind] ?? "").join("\n").toLowerCase();
  return words.every(({ word, wanted }) => text.includes(word) === wanted);
}

/** The newest matching records, the newest first, and how many there are. */
function newest(records) {
  const found = records.filter(matches);
  return [found.slice(-SHOWN).reverse(), found.length];
}

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
  rows(find("#clients table"), COLUMNS.clients, found);
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

/** Says below a table what is not in it. */
function rest(where, count, all, more, matching = count) {
  const parts = [];
  if (!all) parts.push("There is nothing yet.");
  else if (words.length) parts.push(`${matching} of ${all} match the filter.`);
  if (matching > count) parts.push(`The newest ${count} are shown.`);
  if (more) parts.push(more);
  put(typeof where === "string" ? find(where) : where, parts.join(" "));
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

// Calling a method -----------------------------------------------------------------

function fillMethods() {
  const list = find("#method");
  const ends = (name) => name.startsWith("application.exit"); // not what is chosen first
  const names = Object.keys(contract.methods).sort((a, b) => ends(a) - ends(b));
  list.replaceChildren(...names.map((name) => new Option(name, name)));
  showMethod();
}

function showMethod() {
  const method = contract.methods[find("#method").value] ?? {};
  put(find("#doc"), method.description ?? "");
  find("#verdict").textContent = "";
  find("#result").hidden = true;
  const fields = Object.entries(method.params?.properties ?? {}).filter(([name]) => name !== method.rest);
  const required = new Set(method.params?.required ?? []);
  const inputs = fields.map(([name, schema]) => fieldOf(name, schema, required.has(name)));
  if (method.rest || !method.params?.properties) inputs.push(fieldOf("…", { description: "more arguments, a JSON list" }, false));
  find("#arguments").replaceChildren(...inputs);
}

function fieldOf(name, schema, needed) {
  const label = document.createElement("label");
  label.append(name);
  const input = label.appendChild(document.createElement("input"));
  input.name = name;
  input.required = needed;
  input.spellcheck = false;
  input.autocomplete = "off";
  input.placeholder = [typeOf(schema), "default" in schema ? `default ${JSON.stringify(schema.default)}` : ""].filter(Boolean).join(", ");
  input.dataset.text = String(schema.type === "string");
  return label;
}

function typeOf(schema) {
  if (schema.description && !schema.type) return schema.description;
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" or ");
  if (schema.$ref) return schema.$ref.replace("#/$defs/", "");
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema["x-wslink"] === "ndarray") return `array ${schema.dtype?.[0] ?? 'or {"dtype": "|u1", "data": [1, 2]}'} ${shapeOf(schema)}`;
  return schema["x-wslink"] ?? (schema.type === "array" && schema.items ? `array of ${typeOf(schema.items)}` : (schema.type ?? "JSON"));
}

/** A shape as lists have it: [n, 3] is a list of n lists of 3 numbers. */
const shapeOf = ({ shape }) => (shape?.length ? JSON.stringify(shape.map((length) => length ?? "any")).replaceAll('"', "") : "of any shape");

/** The dtype of an argument that is an array ("" for any), or "bytes"; undefined for all others. */
function arrayOf(schema = {}) {
  const kind = schema["x-wslink"];
  if (kind === "ndarray") return schema.dtype?.[0] ?? "";
  if (kind === "bytes") return kind;
  return schema.anyOf?.map(arrayOf).find((one) => one !== undefined);
}

/** What a field holds: JSON, or text where that is asked for or it is nothing else. */
function valueOf({ value, dataset }) {
  try {
    const parsed = JSON.parse(value);
    if (dataset.text !== "true" || typeof parsed === "string") return parsed;
  } catch {
    // then it is text
  }
  return value;
}

function wanted() {
  const method = find("#method").value;
  const described = contract.methods[method] ?? {};
  const inputs = [...find("#arguments").querySelectorAll("input")].filter(({ value }) => value !== "");
  const given = new Map(inputs.map((input) => [input.name, valueOf(input)]));
  const more = given.get("…") ?? [];
  given.delete("…");
  if (!Array.isArray(more)) throw new Error("more arguments are a JSON list, such as [1, 2]");
  const places = (described.positional ?? []).slice(0, more.length ? undefined : (described.positionalOnly ?? 0));
  const args = [];
  const names = new Map([...given.keys()].map((name) => [name, name])); // to the place or the name of each
  for (const name of places) {
    if (!given.has(name)) break;
    names.set(name, String(args.length));
    args.push(given.get(name));
    given.delete(name);
  }
  if (more.length && args.length < places.length) throw new Error(`more arguments need ${places[args.length]}`);
  const kinds = [...names].map(([name, key]) => [key, arrayOf(described.params?.properties?.[name])]);
  const arrays = Object.fromEntries(kinds.filter(([, kind]) => kind !== undefined));
  return { method, args: [...args, ...more], kwargs: Object.fromEntries(given), arrays, stream: Boolean(described.stream) };
}

async function call(event) {
  event.preventDefault();
  const [button, stopper, verdict, result] = [find("#send"), find("#stop"), find("#verdict"), find("#result")];
  button.disabled = true;
  result.hidden = true;
  verdict.textContent = "It runs …";
  const asked = secret;
  const began = performance.now();
  const took = () => time((performance.now() - began) / 1000);
  const items = [];
  let count = 0;
  let [sent, ended, late] = [false, false, undefined];
  const patience = new AbortController();
  const wait = () => {
    clearTimeout(late);
    late = setTimeout(() => patience.abort(new Error("the server is silent")), CALL_PATIENCE);
  };
  stop = () => patience.abort(new Stopped());
  const say = (text, output) => {
    verdict.textContent = text;
    result.textContent = output;
    result.hidden = !output;
  };
  try {
    const body = JSON.stringify(wanted());
    sent = true;
    stopper.hidden = false;
    wait();
    for await (const { item, result: value, error } of linesOf(await request("call", { method: "POST", body, signal: patience.signal }))) {
      if (secret !== asked) return;
      wait();
      ended = item === undefined;
      if (!ended) {
        items.push(item);
        count += 1;
        if (items.length > ITEMS) items.shift();
        say(`Item ${count} after ${took()} …`, items.join("\n"));
      } else if (error) say(`It failed with ${error.code} after ${took()}: ${error.message}`, items.concat(error.data ?? []).join("\n"));
      else say(count ? `It took ${took()}, and gave ${count} items.` : `It took ${took()}.`, items.length ? items.join("\n") : value);
    }
    if (!ended) throw new Error("the response ended early");
  } catch (error) {
    if (secret !== asked) return;
    if (error instanceof Stopped) verdict.textContent = `It was stopped after ${took()}, with ${count} items.`;
    else if (!sent || error instanceof Declined) verdict.textContent = `It was not called: ${error.message}.`;
    else verdict.textContent = `No ${count ? `more than ${count} items` : "response"} came in ${took()}: ${error.message}. The method may have run all the same.`;
  } finally {
    clearTimeout(late);
    button.disabled = false;
    stopper.hidden = true;
  }
}

class Stopped extends Error {}

/** The values of a response, a line of JSON each, as they come. */
async function* linesOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value = "" } = await reader.read();
    const lines = (text + value).split("\n");
    text = lines.pop();
    for (const line of lines) yield JSON.parse(line);
    if (done) return;
  }
}

// As people read it ----------------------------------------------------------------

const short = (id) => id.slice(0, 8);
const status = (code) => (code === "OK" ? "OK" : `error ${code}`);

function clock(seconds) {
  const date = new Date(1000 * seconds);
  const two = (number) => String(number).padStart(2, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

function time(seconds) {
  if (!seconds) return "–";
  const milliseconds = 1000 * seconds;
  if (milliseconds >= 10_000) return `${seconds.toFixed(1)} s`;
  return `${milliseconds < 10 ? milliseconds.toFixed(2) : Math.round(milliseconds)} ms`;
}

function duration(seconds) {
  if (seconds < 60) return `${Math.max(Math.floor(seconds), 0)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let step = 0;
  for (; count >= 1000 && step < units.length - 1; step++) count /= 1000;
  return `${step && count < 10 ? count.toFixed(1) : Math.round(count)} ${units[step]}`;
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
  const parts = target.value.toLowerCase().split(/\s+/).filter((part) => part && part !== "-");
  words = parts.map((part) => ({ word: part.replace(/^-/, ""), wanted: !part.startsWith("-") }));
  show();
});
find("#pause").addEventListener("click", ({ target }) => {
  paused = !paused;
  target.setAttribute("aria-pressed", String(paused));
  put(target, paused ? "Go on" : "Pause");
});
find("#method").addEventListener("change", showMethod);
find("#call").addEventListener("submit", call);
find("#stop").addEventListener("click", () => stop?.());
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
