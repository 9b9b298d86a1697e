/**
 * Composables over the client.
 *
 * @module wslink/vue
 */
import { type MaybeRefOrGetter, type Ref, getCurrentInstance, getCurrentScope, nextTick, onMounted, shallowReactive, toRefs, toValue, watch, watchSyncEffect } from "vue";
import { UsageError } from "../errors.js";
import type { Link } from "../client/link.js";
import type { SubscribeOptions } from "../session/features/subscribe.js";
import { type CallStatus, type Caller, IDLE, calls } from "./call.js";
import { CONNECTING, type LinkStatus, type LinkTarget, type UseLinkOptions, hold, keyOf } from "./connection.js";
import { NOTHING, type Shown, type TopicStatus, type Watch, filterKey, watchTopic } from "./topic.js";

export type { CallStatus, Caller } from "./call.js";
export type { LinkStatus, LinkTarget, UseLinkOptions } from "./connection.js";
export type { TopicStatus } from "./topic.js";

/** Each property as a ref to be read. */
export type Refs<T> = { readonly [K in keyof T]: Readonly<Ref<T[K]>> };

/** Begins to watch when the component is mounted; in an effectScope outside a component, at once in a page, and never where pages are rendered. */
function whenMounted(watching: () => void): void {
  const scope = getCurrentScope();
  if (!scope) throw new UsageError("call it in setup(), before its first await, or in an effectScope");
  // A store's scope lasts longer than the component that first uses it.
  if (getCurrentInstance()) onMounted(() => scope.run(watching));
  else if (typeof document !== "undefined") watching();
}

/** Does something while the component is mounted, anew where a source is another. */
function whileMounted(sources: (() => unknown)[], begin: () => () => void): void {
  whenMounted(() => watch(sources, (_new, _old, onCleanup) => onCleanup(begin()), { immediate: true }));
}

/**
 * Connects while the component is mounted; again where the target or the secret is another.
 *
 * @param target - a URL or a session from `launch()`, or a ref or a getter of one; by default the server that the page came from.
 * @param options - as of `connect`; those other than the secret count when it connects.
 *
 * @example
 * const { link, state, error } = useLink("ws://localhost:8080/ws", { secret });
 */
export function useLink(target?: MaybeRefOrGetter<LinkTarget>, options?: MaybeRefOrGetter<UseLinkOptions | undefined>): Refs<LinkStatus> {
  const status = shallowReactive<LinkStatus>({ ...CONNECTING });
  whileMounted([() => keyOf(toValue(target)), () => toValue(options)?.secret], () =>
    hold(toValue(target), toValue(options), (next) => Object.assign(status, next)),
  );
  return toRefs(status);
}

/**
 * Subscribes while the component is mounted and there is a link. It renders with the newest payload, at most once per animation frame, and the server
 * counts a publication as dealt with when that has been rendered.
 *
 * @typeParam T - what the topic carries; it is not checked.
 * @param options - as of `Link.subscribe`, or a ref or a getter of them. Another filter replaces the one in effect, without a gap; it is compared by its value. The
 *   others count when it subscribes.
 *
 * @example
 * const { payload, error } = useTopic<Tile>(link, "terrain.tile", () => ({ filter: { row: row.value } }));
 */
export function useTopic<T = unknown>(
  link: MaybeRefOrGetter<Link | undefined>,
  topic: MaybeRefOrGetter<string>,
  options?: MaybeRefOrGetter<SubscribeOptions | undefined>,
): Refs<TopicStatus<T>> {
  const status = shallowReactive<Shown<T>>({ ...NOTHING });
  let own: Watch | undefined;
  const show = (shown: Shown<T>): void => void nextTick(Object.assign(status, shown).drawn);
  whileMounted([() => toValue(link), () => toValue(topic)], () => {
    const to = toValue(link);
    own = to && watchTopic(to, toValue(topic), toValue(options), show);
    if (!own) show(NOTHING);
    return () => own?.end();
  });
  watch(() => filterKey(toValue(options)), () => own?.update(toValue(options)));
  return toRefs(status);
}

/**
 * Calls of a method. What is under way when the component is unmounted, or the link or the method is another, is given up.
 *
 * @typeParam T - what the method returns; it is not checked.
 *
 * @example
 * const { call, pending, result, error, progress } = useCall<number>(link, "terrain.elevation");
 */
export function useCall<T = unknown>(
  link: MaybeRefOrGetter<Link | undefined>,
  method: MaybeRefOrGetter<string>,
): Refs<CallStatus<T>> & { readonly call: Caller<T> } {
  const status = shallowReactive<CallStatus<T>>({ ...IDLE });
  const [begin, call] = calls<T>();
  const show = (next: CallStatus<T>): unknown => Object.assign(status, next);
  // At once, before watchers of the application run, which may call.
  whenMounted(() => watchSyncEffect((onCleanup) => (show(IDLE), onCleanup(begin(toValue(link), toValue(method), show)))));
  return { ...toRefs(status), call };
}
