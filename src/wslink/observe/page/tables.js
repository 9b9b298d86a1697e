// Tables of what the server tells. It is put in as text: names, filters and arguments may be anybody's.

import { find, put } from "./dom.js";
import { bytes, clock, duration, short, status, time } from "./units.js";

export const SHOWN = 200; // rows of the log, and of calls: newest first

let words = []; // of the filter

const cell = (name, text, kind = "") => ({ name, text, kind });
export const COLUMNS = {
  clients: [
    cell("id", ({ id }) => short(id)),
    cell("address", ({ address }) => address || "–"),
    cell("user", ({ user }) => user || "–"),
    cell("state", ({ state }) => state),
    cell("since", ({ since }, now) => (since ? duration(now - since) : "–"), "number"),
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

/**
 * Shows records in the rows of a table, which stay where they are: what is new costs the cells whose text has changed.
 * Times are told as of `now`, in seconds.
 */
export function rows(table, columns, records, now) {
  const body = table.tBodies[0];
  while (body.rows.length > records.length) body.rows[body.rows.length - 1].remove();
  records.forEach((record, place) => {
    const row = body.rows[place] ?? body.appendChild(rowOf(columns));
    columns.forEach(({ text }, index) => text && put(row.cells[index], String(text(record, now))));
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

/** Shows only what has all words of a text, and none of those behind a "-". */
export function filter(text) {
  const parts = text.toLowerCase().split(/\s+/).filter((part) => part && part !== "-");
  words = parts.map((part) => ({ word: part.replace(/^-/, ""), wanted: !part.startsWith("-") }));
}

/** Whether a record has all the words of the filter, and none of those behind a "-". */
export function matches(record) {
  if (!words.length) return true;
  const text = Object.values(record).concat(KINDS[record.kind] ?? "").join("\n").toLowerCase();
  return words.every(({ word, wanted }) => text.includes(word) === wanted);
}

/** The newest matching records, the newest first, and how many there are. */
export function newest(records) {
  const found = records.filter(matches);
  return [found.slice(-SHOWN).reverse(), found.length];
}

/** Says below a table what is not in it. */
export function rest(where, count, all, more, matching = count) {
  const parts = [];
  if (!all) parts.push("There is nothing yet.");
  else if (words.length) parts.push(`${matching} of ${all} match the filter.`);
  if (matching > count) parts.push(`The newest ${count} are shown.`);
  if (more) parts.push(more);
  put(typeof where === "string" ? find(where) : where, parts.join(" "));
}
