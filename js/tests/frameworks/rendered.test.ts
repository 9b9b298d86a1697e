// Pages that a server renders, as Next.js and Nuxt do: nothing is connected there.
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { expect, test, vi } from "vitest";
import { createSSRApp, defineComponent, effectScope, h } from "vue";
import { renderToString as renderVue } from "vue/server-renderer";
import * as react from "../../src/frameworks/react.js";
import * as vue from "../../src/frameworks/vue.js";

const opened = vi.fn();
const WebSocket = opened as never;
const URL = "ws://127.0.0.1:9/ws";

test("neither React nor Vue connects where a page is rendered", async () => {
  const reported = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const warned = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const Component = (): React.ReactNode => {
    const { link, state } = react.useLink(URL, { WebSocket });
    const { payload } = react.useTopic(link, "a.topic");
    const { pending } = react.useCall(link, "a.method");
    return createElement("p", null, `${state} ${String(payload)} ${String(pending)}`);
  };
  expect(renderToString(createElement(Component))).toBe("<p>connecting undefined false</p>");
  const use = (): (() => string) => {
    const { link, state } = vue.useLink(URL, { WebSocket });
    const { payload } = vue.useTopic(link, "a.topic");
    const { pending } = vue.useCall(link, "a.method");
    return () => `${state.value} ${String(payload.value)} ${String(pending.value)}`;
  };
  const scope = effectScope(true);
  const inStore = scope.run(use);
  const app = createSSRApp(defineComponent(() => ((text) => () => h("p", `${text()}, ${String(inStore?.())}`))(use())));
  expect(await renderVue(app)).toBe("<p>connecting undefined false, connecting undefined false</p>");
  await new Promise((resolve) => setTimeout(resolve, 50));
  scope.stop();
  expect(opened).not.toHaveBeenCalled();
  expect([reported.mock.calls, warned.mock.calls]).toEqual([[], []]);
});
