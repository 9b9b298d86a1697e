// @vitest-environment happy-dom
// What is not a link, and options that there are not: they are shown as errors, and break no rendering.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { createApp, defineComponent, effectScope, h, nextTick, shallowRef } from "vue";
import * as react from "../../src/frameworks/react.js";
import * as vue from "../../src/frameworks/vue.js";
import { type Link, UsageError } from "../../src/index.js";
import { linked, nextConnection, url } from "../support/linked.js";
import { WELCOME } from "../support/peer.js";

let link: Link;
let unmount: () => void = () => undefined;

beforeEach(async () => {
  ({ link } = await linked(WELCOME, { WebSocket: WebSocket as never }));
});

afterEach(() => unmount());

type Use = <T>(use: (framework: typeof vue | typeof react) => T, read: (used: T) => unknown) => () => unknown;

const inReact: Use = (use, read) => {
  let seen: unknown;
  const root = createRoot(document.createElement("div"));
  unmount = () => root.unmount();
  root.render(createElement(() => ((seen = read(use(react))), null)));
  return () => seen;
};

const inVue: Use = (use, read) => {
  let seen: unknown;
  const app = createApp(
    defineComponent(() => {
      const used = use(vue);
      return () => ((seen = read(used)), h("p"));
    }),
  );
  unmount = () => app.unmount();
  app.mount(document.createElement("div"));
  return () => seen;
};

const valueOf = (shown: unknown): unknown => (shown !== null && typeof shown === "object" && "value" in shown ? shown.value : shown);

describe.each([
  ["react", inReact],
  ["vue", inVue],
])("wslink/%s", (_, use) => {
  test.each([
    [{ filters: {} }, "filters is not an option"],
    [5, "options must be an object, not 5"],
  ])("useTopic with the options %j", async (options, why) => {
    const error = use((framework) => framework.useTopic(link as never, "a.topic", options as never), (topic) => valueOf(topic.error));
    await expect.poll(error).toEqual(new UsageError(why));
  });

  test("useTopic and useCall with what is not a link", async () => {
    const wrong = { link } as never;
    const error = use((framework) => framework.useTopic(wrong, "a.topic"), (topic) => valueOf(topic.error));
    await expect.poll(error).toEqual(new UsageError("link must be a link, not Object"));
    unmount();
    let call: vue.Caller<unknown> | undefined;
    const status = use((framework) => framework.useCall(wrong, "a.method"), (made) => ((call = made.call), valueOf(made.error)));
    await expect.poll(() => call).toBeDefined();
    await call?.();
    await expect.poll(status).toEqual(new UsageError("link must be a link, not Object"));
  });

  test("useCall with what is not a signal", async () => {
    let call: vue.Caller<unknown> | undefined;
    const status = use((framework) => framework.useCall(link as never, "a.method"), (made) => ((call = made.call), valueOf(made.error)));
    await expect.poll(() => call).toBeDefined();
    await call?.([], {}, { signal: new AbortController() as never });
    await expect.poll(status).toMatchObject({ name: "UsageError", message: expect.stringContaining("signal must be an AbortSignal") as string });
  });

  test("useLink with what is not an option", async () => {
    const address = await url();
    const error = use((framework) => framework.useLink(address, { secrets: "x" } as never), (made) => valueOf(made.error));
    await expect.poll(error).toEqual(new UsageError("secrets is not an option"));
  });
});

describe("wslink/vue outside a component", () => {
  test("connects, subscribes and calls in an effectScope, until that is stopped", async () => {
    const scope = effectScope(true);
    const address = await url();
    const made = scope.run(() => {
      const { link: to } = vue.useLink(address, { secret: "s", WebSocket: WebSocket as never });
      return { to, topic: vue.useTopic(to, "a.topic"), method: vue.useCall<number>(to, "a.method") };
    });
    const other = await nextConnection();
    await other.welcome();
    expect(await other.next()).toMatchObject({ method: "wslink.subscribe" });
    await expect.poll(() => made?.to.value?.state).toBe("open");
    const result = made?.method.call([1]);
    other.answer(await other.next(), 2);
    expect(await result).toBe(2);
    const closed = new Promise((resolve) => other.socket.once("close", resolve));
    scope.stop();
    expect(await closed).toBe(1000);
  });

  test("a store outlives the component that uses it first", async () => {
    const scope = effectScope(true);
    const address = await url();
    let to: vue.Refs<vue.LinkStatus>["link"] | undefined;
    const Component = defineComponent(() => {
      to ??= scope.run(() => vue.useLink(address, { secret: "s", WebSocket: WebSocket as never }))?.link;
      return () => h("p");
    });
    const shown = shallowRef(true);
    const app = createApp(defineComponent(() => () => (shown.value ? h(Component) : h("i"))));
    unmount = () => app.unmount();
    app.mount(document.createElement("div"));
    await (await nextConnection()).welcome();
    await expect.poll(() => to?.value?.state).toBe("open");
    shown.value = false;
    await nextTick();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(to?.value?.state).toBe("open");
    scope.stop();
    await expect.poll(() => to?.value?.state).toBe("closed");
  });

  test("is refused where there is no scope: nothing would end it", () => {
    expect(() => vue.useLink("ws://127.0.0.1:9/ws")).toThrow(UsageError);
    expect(() => vue.useTopic(link, "a.topic")).toThrow(UsageError);
    expect(() => vue.useCall(link, "a.method")).toThrow("in an effectScope");
  });
});
