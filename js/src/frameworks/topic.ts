import type { Link } from "../client/link.js";
import type { Callback, PublicationInfo, SubscribeOptions, Subscription } from "../session/features/subscribe.js";
import { isLink } from "./connection.js";

/** A topic as a component sees it. */
export interface TopicStatus<T> {
  /** The newest payload; undefined until there is one. */
  readonly payload: T | undefined;
  /** Which publication that is. */
  readonly info: PublicationInfo | undefined;
  /** Why there is no subscription: the topic or the filter is refused, or the link is closed. */
  readonly error: unknown;
}

/** A status, and what is to be called when it has been drawn. */
export interface Shown<T> extends TopicStatus<T> {
  readonly drawn: () => void;
}

export const NOTHING: Shown<never> = { payload: undefined, info: undefined, error: undefined, drawn: () => undefined };

/** What tells a filter from another: components make theirs anew with each rendering. */
export function filterKey(options: SubscribeOptions | undefined): string | undefined {
  // JSON knows no BigInt, and takes NaN and Infinity for null.
  return JSON.stringify(options?.filter, (_, value: unknown) => (typeof value === "object" ? value : typeof value + (value as string)));
}

type Later = (callback: () => void, ms: number) => unknown;

/** Takes publications, and shows the newest, once per animation frame at most. */
function frames<T>(show: (change: Pick<Shown<T>, "payload" | "info" | "drawn">) => void): Callback<T> {
  let newest: Pick<Shown<T>, "payload" | "info"> | undefined;
  let drawing: Promise<void> | undefined;
  /** Acknowledges frames that are not drawn yet, oldest first. Those that others overtake are never drawn: they count with those. */
  const shown: (() => void)[] = [];
  const begin = (acknowledge: () => void): unknown =>
    // Without a screen, as often as one would have it.
    ((globalThis as unknown as { requestAnimationFrame?: Later }).requestAnimationFrame ?? setTimeout)(() => {
      shown.push(acknowledge);
      show({ ...(newest as NonNullable<typeof newest>), drawn: () => shown.splice(0, shown.indexOf(acknowledge) + 1).forEach((each) => each()) });
      newest = undefined;
    }, 16);
  return (payload, info) => {
    if (!newest) drawing = new Promise(begin);
    newest = { payload, info };
    return drawing;
  };
}

/** A subscription of a component. */
export interface Watch {
  /** Replaces the filter where it is another. */
  update(options: SubscribeOptions | undefined): void;
  end(): void;
}

export function watchTopic<T>(link: Link, topic: string, options: SubscribeOptions | undefined, show: (shown: Shown<T>) => void): Watch {
  let status: Shown<T> = NOTHING;
  let ended = false;
  let key = filterKey(options);
  const change = (part: Partial<Shown<T>>): void => {
    if (!ended) show((status = { ...status, ...part }));
  };
  const take = frames<T>(change);
  const failed = (error: unknown): void => change({ error });
  let subscription: Subscription | undefined;
  const begin = async (chosen: SubscribeOptions | undefined): Promise<void> => {
    isLink(link);
    subscription = link.subscribe(topic, take, chosen);
    await subscription.ready;
  };
  const replace = async (next: SubscribeOptions | undefined): Promise<void> => {
    try {
      await (subscription ? subscription.update(next?.filter ?? null) : begin(next));
    } catch (error) {
      // One that was refused has ended. By the name: the link may come from another copy of the client, such as /wslink/client.js.
      if (ended || (error as Error).name !== "UsageError") throw error;
      await begin(next);
    }
    failed(undefined);
  };
  show(NOTHING);
  begin(options).catch(failed);
  return {
    update(next) {
      const before = key;
      key = filterKey(next);
      if (key !== before) replace(next).catch(failed);
    },
    end() {
      ended = true;
      void subscription?.cancel();
    },
  };
}
