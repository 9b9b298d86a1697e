// The same component in each framework, which tells what it renders.
import { StrictMode, createElement } from "react";
import { createRoot } from "react-dom/client";
import { createApp, defineComponent, h, reactive } from "vue";
import * as react from "../../src/frameworks/react.js";
import * as vue from "../../src/frameworks/vue.js";
import type { Filter } from "../../src/index.js";
import type { LaunchedSession } from "../../src/client/launch.js";

export interface Props {
  readonly url: string | LaunchedSession;
  readonly secret: string;
  readonly topic: string;
  readonly filter?: Filter;
  readonly method: string;
}

/** What one rendering showed. */
export interface Rendered extends react.LinkStatus {
  readonly topic: react.TopicStatus<unknown>;
  readonly method: react.CallStatus<unknown>;
}

export interface Mounted {
  readonly rendered: Rendered[];
  readonly call: react.Caller<unknown>;
  set(change: Partial<Props>): void;
  unmount(): void;
}

/** A session that a component writes down is another object with each rendering. */
const anew = (url: Props["url"]): Props["url"] => (typeof url === "string" ? url : { ...url });

const OPTIONS = { reconnect: { initial: 5 } };

export function mountReact(first: Props): Mounted {
  const rendered: Rendered[] = [];
  let props = first;
  let made: react.Caller<unknown>;
  const Component = ({ url, secret, topic, filter, method: name }: Props): string => {
    const status = react.useLink(anew(url), { ...OPTIONS, secret });
    const seen = react.useTopic(status.link, topic, { filter: filter && { ...filter } });
    const { call, ...method } = react.useCall(status.link, name);
    made = call;
    rendered.push({ ...status, topic: seen, method });
    return String(seen.payload);
  };
  const root = createRoot(document.createElement("div"));
  const show = (): void => root.render(createElement(StrictMode, null, createElement(Component, props)));
  show();
  return {
    rendered,
    call: (...args) => made(...args),
    set: (change) => {
      props = { ...props, ...change };
      show();
    },
    unmount: () => root.unmount(),
  };
}

export function mountVue(first: Props): Mounted {
  const rendered: Rendered[] = [];
  const props = reactive({ ...first }) as { -readonly [K in keyof Props]: Props[K] };
  let made: react.Caller<unknown> = () => Promise.reject(new Error("not mounted"));
  const Component = defineComponent(() => {
    const { link, state, error } = vue.useLink(() => anew(props.url), () => ({ ...OPTIONS, secret: props.secret }));
    const topic = vue.useTopic(link, () => props.topic, () => ({ filter: props.filter && { ...props.filter } }));
    const { call, ...method } = vue.useCall(link, () => props.method);
    made = call;
    return () => {
      const seen = { payload: topic.payload.value, info: topic.info.value, error: topic.error.value };
      const status = { pending: method.pending.value, result: method.result.value, error: method.error.value, progress: method.progress.value };
      rendered.push({ link: link.value, state: state.value, error: error.value, topic: seen, method: status });
      return h("p", String(seen.payload));
    };
  });
  const app = createApp(Component);
  app.mount(document.createElement("div"));
  return {
    rendered,
    call: (...args) => made(...args),
    set: (change) => void Object.assign(props, change),
    unmount: () => app.unmount(),
  };
}
