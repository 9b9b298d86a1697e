import { connectApi } from "./odd_api.js";

const [url = ""] = process.argv.slice(2);
const api = await connectApi(url, { secret: "secret" });
const same = (value: unknown, expected: unknown) => {
  if (JSON.stringify(value) !== JSON.stringify(expected)) throw new Error(`${JSON.stringify(value)} is not ${JSON.stringify(expected)}`);
};

const words: string[] = [
  await api.await(), await api.class(), await api.constructor(), await api.default(), await api.delete(),
  await api.function(), await api.import(), await api.new(), await api.readonly(), await api.static(),
  await api.then_(), await api.to_string(), await api.with(),
];
same(words, ["await", "class", "constructor", "default", "delete", "function", "import", "new", "readonly", "static", "then_", "to_string", "with"]);

same(await api.job(), "job");
same([await api.job.name(), await api.job.length(), await api.job.name.first(), await api.job.prototype()], ["job.name", "job.length", "job.name.first", "job.prototype"]);
same(await api.job.then(), "job.then");

same(await api.files.list(), ["a"]);
same(await api.files.dict({ list: ["a"], str: "b" }), { a: 1, b: 1 });
const items: string[] = [];
for await (const item of api.files.items({ items: 2, item: "x" })) items.push(item);
same(items, ["x", "x"]);
same(await api.files.result({ self: 1, result: null }), null);
same(await api.options({ class: 1, default: "d", from: 2, "a b": true }), { class: 1, default: "d", from: 2, "a b": true });
if ((await api.wide())["a"] !== 2n ** 60n) throw new Error("not wide");
same(Object.keys(await api.wide_names()), []);
same(await api.classes({ given: { a: 1 }, tree: { name: "root", inner: [{ name: "leaf" }] }, box: { value: 1, others: [null, 2] }, größe: { größe: 2 }, filter: { kind: "red" } }), { a: 1 });

const topics = {
  __x: api.__x, _link: api._link, "2": api["2"], "1d.slice": api["1d"].slice, "class.name": api.class.name,
  hasOwnProperty: api.hasOwnProperty, toString: api.toString, "job.name.changed": api.job.name.changed, ["__proto__"]: api.__proto__,
};
for (const [name, topic] of Object.entries(topics)) {
  const said = new Promise<string>((resolve) => {
    topic.subscribe(resolve).ready.then(() => api.say({ topic: name }));
  });
  same(await said, name);
}
await api.view.subscribe(() => undefined, { filter: { class: 3 } }).ready;
console.log("right");
await api.$link.close();
