// The form that calls a method.

import { Declined, request, secret } from "./asking.js";
import { find, put } from "./dom.js";
import { time } from "./units.js";

const PATIENCE = 70_000; // milliseconds for each part of an answer: the server gives a call up after 60 s without one
const ITEMS = 200; // of a stream, that are shown: the newest

let contract = { methods: {} };
let stop; // stops the call that is under way

/** Offers the methods of a contract; undefined for none. */
export function offer(offered = { methods: {} }) {
  contract = offered;
  const list = find("#method");
  const ends = (name) => name.startsWith("application.exit"); // not what is chosen first
  const names = Object.keys(contract.methods).sort((a, b) => ends(a) - ends(b));
  list.replaceChildren(...names.map((name) => new Option(name, name)));
  if (names.length) showMethod();
  else find("#arguments").replaceChildren();
}

export function showMethod() {
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

export async function call(event) {
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
    late = setTimeout(() => patience.abort(new Error("the server is silent")), PATIENCE);
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

/** Ends the call that is under way. */
export function stopCall() {
  stop?.();
}
