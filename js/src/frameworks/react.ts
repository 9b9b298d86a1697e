/**
 * Hooks over the client.
 *
 * @module wslink/react
 */
import { useEffect, useInsertionEffect, useMemo, useRef, useState } from "react";
import type { Link } from "../client/link.js";
import type { SubscribeOptions } from "../session/features/subscribe.js";
import { type CallStatus, type Caller, IDLE, calls } from "./call.js";
import { CONNECTING, type LinkStatus, type LinkTarget, type UseLinkOptions, hold, keyOf } from "./connection.js";
import { NOTHING, type Shown, type TopicStatus, type Watch, watchTopic } from "./topic.js";

export type { CallStatus, Caller } from "./call.js";
export type { LinkStatus, LinkTarget, UseLinkOptions } from "./connection.js";
export type { TopicStatus } from "./topic.js";

/**
 * Connects while the component is mounted: once per mount, in StrictMode too; again where the target or the secret is another.
 *
 * @param target - a URL or a session from `launch()`; by default the server that the page came from.
 * @param options - as of `connect`; those other than the secret count when it connects.
 *
 * @example
 * const { link, state, error } = useLink("ws://localhost:8080/ws", { secret });
 */
export function useLink(target?: LinkTarget, options?: UseLinkOptions): LinkStatus {
  const [status, setStatus] = useState(CONNECTING);
  useEffect(() => hold(target, options, setStatus), [keyOf(target), options?.secret]);
  return status;
}

interface Seen<T> {
  readonly link: Link | undefined;
  readonly topic: string;
  readonly shown: Shown<T>;
}

/**
 * Subscribes while the component is mounted and there is a link. It renders with the newest payload, at most once per animation frame, and the server
 * counts a publication as dealt with when that has been rendered.
 *
 * @typeParam T - what the topic carries; it is not checked.
 * @param options - as of `Link.subscribe`. Another filter replaces the one in effect, without a gap; it is compared by its value. The others count when it subscribes.
 *
 * @example
 * const { payload, error } = useTopic<Tile>(link, "terrain.tile", { filter: { row } });
 */
export function useTopic<T = unknown>(link: Link | undefined, topic: string, options?: SubscribeOptions): TopicStatus<T> {
  const [seen, setSeen] = useState<Seen<T>>({ link, topic, shown: NOTHING });
  const watch = useRef<Watch>(undefined);
  useEffect(() => {
    const own = link && watchTopic<T>(link, topic, options, (shown) => setSeen({ link, topic, shown }));
    watch.current = own;
    return () => own?.end();
  }, [link, topic]);
  useEffect(() => watch.current?.update(options));
  useEffect(() => seen.shown.drawn(), [seen]);
  // Until the effect has run, it is of another link or topic.
  return seen.link === link && seen.topic === topic ? seen.shown : NOTHING;
}

/**
 * Calls of a method. What is under way when the component is unmounted, or the link or the method is another, is given up.
 *
 * @typeParam T - what the method returns; it is not checked.
 *
 * @example
 * const { call, pending, result, error, progress } = useCall<number>(link, "terrain.elevation");
 */
export function useCall<T = unknown>(link: Link | undefined, method: string): CallStatus<T> & { readonly call: Caller<T> } {
  const own = useMemo(() => ({}), [link, method]);
  const [seen, setSeen] = useState<{ readonly own: object; readonly status: CallStatus<T> }>({ own, status: IDLE });
  const [[begin, call]] = useState(calls<T>);
  // Before all layout effects: those may call.
  useInsertionEffect(() => begin(link, method, (status) => setSeen({ own, status })), [own]);
  return { ...(seen.own === own ? seen.status : IDLE), call };
}
