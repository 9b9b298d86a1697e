// @vitest-environment happy-dom
// Calls that components make as soon as they can: in effects and watchers, which run before those of the hook or composable itself.
import { StrictMode, createElement, useEffect, useLayoutEffect } from "react";
import { createRoot } from "react-dom/client";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createApp, defineComponent, h, nextTick, onMounted, shallowRef, watch } from "vue";
import { WebSocket } from "ws";
import * as react from "../../src/frameworks/react.js";
import * as vue from "../../src/frameworks/vue.js";
import type { Link } from "../../src/index.js";
import { linked } from "../support/linked.js";
import { type Connection, WELCOME } from "../support/peer.js";

let link: Link;
let peer: Connection;
let unmount: () => void = () => undefined;

beforeEach(async () => {
  ({ link, peer } = await linked(WELCOME, { WebSocket: WebSocket as never }));
});

afterEach(() => unmount());

/** Answers the next call, whose one argument says where it was made. */
async function answered(): Promise<unknown> {
  const call = await peer.next();
  peer.answer(call, "result");
  return call.args[0];
}

test("React: in an effect of a component inside, at first and when there is a link", async () => {
  interface Props {
    readonly to: Link | undefined;
  }
  const results: unknown[] = [];
  const Inside = ({ to, call }: Props & { readonly call: react.Caller<unknown> }): null => {
    useEffect(() => void (to && call(["inside"]).then((result) => results.push(result))), [to, call]);
    return null;
  };
  const Component = ({ to }: Props): React.ReactNode => createElement(Inside, { to, call: react.useCall(to, "a.method").call });
  const root = createRoot(document.createElement("div"));
  unmount = () => root.unmount();
  root.render(createElement(Component, { to: link }));
  expect(await answered()).toBe("inside");
  await expect.poll(() => results).toEqual(["result"]);
  root.render(createElement(Component, { to: undefined }));
  await new Promise((resolve) => setTimeout(resolve, 20));
  root.render(createElement(Component, { to: link }));
  expect(await answered()).toBe("inside");
  await expect.poll(() => results).toEqual(["result", "result"]);
});

test("React: in StrictMode each of the two effects makes its call", async () => {
  const Inside = ({ call }: { readonly call: react.Caller<unknown> }): null => {
    useEffect(() => void call(["strict"]), [call]);
    return null;
  };
  const Component = (): React.ReactNode => createElement(Inside, { call: react.useCall(link, "a.method").call });
  const root = createRoot(document.createElement("div"));
  unmount = () => root.unmount();
  root.render(createElement(StrictMode, null, createElement(Component)));
  expect([await answered(), await answered()]).toEqual(["strict", "strict"]);
});

test("Vue: in a watcher of the link, and where a component inside is mounted", async () => {
  const to = shallowRef<Link>();
  const results: unknown[] = [];
  const Inside = defineComponent({ props: ["call"], setup: (props: { call: vue.Caller<unknown> }) => (onMounted(() => void props.call(["inside"]).then((result) => results.push(result))), () => h("i")) });
  const Component = defineComponent(() => {
    const { call } = vue.useCall(to, "a.method");
    watch(to, (now) => void (now && call(["watcher"]).then((result) => results.push(result))));
    return () => (to.value ? h(Inside, { call }) : h("p"));
  });
  const app = createApp(Component);
  unmount = () => app.unmount();
  app.mount(document.createElement("div"));
  to.value = link;
  await nextTick();
  expect([await answered(), await answered()]).toEqual(["watcher", "inside"]);
  await expect.poll(() => results).toEqual(["result", "result"]);
});

test("Vue: where it is mounted together with the component inside", async () => {
  const Inside = defineComponent({ props: ["call"], setup: (props: { call: vue.Caller<unknown> }) => (onMounted(() => void props.call(["inside"])), () => h("i")) });
  const app = createApp(defineComponent(() => {
    const { call } = vue.useCall(link, "a.method");
    return () => h(Inside, { call });
  })); // prettier-ignore
  unmount = () => app.unmount();
  app.mount(document.createElement("div"));
  expect(await answered()).toBe("inside");
});

test("React: in layout effects, at first, when there is a link, and when the method is another", async () => {
  interface Props {
    readonly to: Link | undefined;
    readonly method: string;
  }
  const results: unknown[] = [];
  const Inside = ({ to, method, call }: Props & { readonly call: react.Caller<unknown> }): null => {
    useLayoutEffect(() => void (to && call([`${method} inside`]).then((result) => results.push(result))), [to, method, call]);
    return null;
  };
  let shown: react.CallStatus<unknown> | undefined;
  const Component = ({ to, method }: Props): React.ReactNode => {
    const { call, ...status } = react.useCall(to, method);
    shown = status;
    useLayoutEffect(() => void (to && call([method]).then((result) => results.push(result))), [to, method, call]);
    return createElement(Inside, { to, method, call });
  };
  const root = createRoot(document.createElement("div"));
  unmount = () => root.unmount();
  root.render(createElement(Component, { to: link, method: "a.method" }));
  expect([await answered(), await answered()]).toEqual(["a.method inside", "a.method"]);
  await expect.poll(() => results).toEqual(["result", "result"]);
  for (const method of ["b.method", "a.method"]) {
    root.render(createElement(Component, { to: link, method }));
    await expect.poll(() => shown?.pending).toBe(true);
    expect(shown?.result).toBeUndefined();
    expect([await answered(), await answered()]).toEqual([`${method} inside`, method]);
    await expect.poll(() => shown).toMatchObject({ pending: false, result: "result" });
  }
  expect(results).toHaveLength(6);
});

test("React: a method that comes back shows nothing of a call that was given up", async () => {
  let shown: (react.CallStatus<unknown> & { readonly call: react.Caller<unknown> }) | undefined;
  const Component = ({ method }: { readonly method: string }): null => ((shown = react.useCall(link, method)), null);
  const root = createRoot(document.createElement("div"));
  unmount = () => root.unmount();
  root.render(createElement(Component, { method: "a.method" }));
  await expect.poll(() => shown).toBeDefined();
  void shown?.call([1]);
  await expect.poll(() => shown?.pending).toBe(true);
  for (const method of ["b.method", "a.method"]) {
    root.render(createElement(Component, { method }));
    await expect.poll(() => shown?.pending).toBe(false);
  }
});
