"""Code of generated TypeScript modules, in pieces; each module holds those that it needs."""

from __future__ import annotations

import re

TOPIC = """\
/** A topic: what it carries, and what its filters see. */
export interface ApiTopic<Payload, Tags> {
  /** See `Link.subscribe`. */
  subscribe(
    callback: (payload: Payload, info: PublicationInfo) => unknown,
    options?: ApiSubscribeOptions<Tags>,
  ): ApiSubscription<Tags>;
}

/** See `SubscribeOptions`. */
export interface ApiSubscribeOptions<Tags> extends Omit<
  SubscribeOptions,
  "filter"
> {
  readonly filter?: ApiFilter<Tags> | null | undefined;
}

/** See `Subscription`. */
export interface ApiSubscription<Tags> extends Omit<Subscription, "update"> {
  update(filter: ApiFilter<Tags> | null): Promise<void>;
}

/** Conditions of tags, or filters that are combined. */
export type ApiFilter<Tags> = unknown extends Tags ? Filter : ApiTags<Tags>;
export type ApiTags<Tags> = ApiConditions<Tags> | ApiCombined<Tags>;

/** Conditions of tags, all of which must hold. */
export type ApiConditions<Tags> = ApiUncombined & {
  readonly [Name in keyof Tags]?: ApiCondition<Tags[Name]>;
};

interface ApiUncombined {
  readonly and?: never;
  readonly or?: never;
  readonly not?: never;
}

/** What filters are combined by. */
export interface ApiCombined<Tags> {
  readonly and?: readonly ApiFilter<Tags>[];
  readonly or?: readonly ApiFilter<Tags>[];
  readonly not?: ApiFilter<Tags>;
}

/** What a tag must be: a value, one of several, or within bounds. */
export type ApiCondition<Tag> = Tag | readonly Tag[] | ApiBounds<Tag>;

/** Bounds that must all hold. */
export interface ApiBounds<Tag> extends ApiOrder<Exclude<Tag, boolean>> {
  readonly ne?: Tag;
  readonly exists?: boolean;
  readonly prefix?: Tag extends string ? string : never;
}

/** What only text and numbers have. */
export interface ApiOrder<Tag> {
  readonly gte?: Tag;
  readonly gt?: Tag;
  readonly lte?: Tag;
  readonly lt?: Tag;
}

"""

UNTYPED = """\
/** Arguments of a method that says nothing of them: by place, or by name. */
export type Untyped = readonly unknown[] | Readonly<Record<string, unknown>>;
"""

ENTRY = """\
/** What is known of a method or topic when it is used. */
interface Entry {
  /** Arguments that have a place and no name. */
  readonly places?: readonly string[];
  /** Arguments behind these. */
  readonly rest?: string;
  /** Arguments of any name. */
  readonly more?: string;
  readonly errors?: readonly ErrorClass[];
  readonly stream?: boolean;
  /** Where integers of 64 bits are. */
  readonly wide?: Wide;
}

type ErrorClass = (new (
  ...given: ConstructorParameters<typeof CallError>
) => CallError) & { readonly code: number };

/** This value, each one inside of it, or those under these keys. */
type Wide =
  | "this"
  | readonly [Wide]
  | { readonly [key: string]: Wide }
  | (() => readonly Wide[]);

function widened(value: unknown, wide: Wide | undefined): unknown {
  if (wide === undefined) return value;
  if (wide === "this")
    return Number.isInteger(value) ? BigInt(value as number) : value;
  if (typeof wide === "function")
    return wide().reduce((inner, one) => widened(inner, one), value);
  if (typeof value !== "object" || value === null) return value;
  const holder = value as Record<string, unknown>;
  const each = Array.isArray(wide) ? (wide[0] as Wide) : undefined;
  for (const key of Object.keys(each ? holder : wide)) {
    const inner = each ?? (wide as { readonly [key: string]: Wide })[key];
    if (Object.hasOwn(holder, key)) holder[key] = widened(holder[key], inner);
  }
  return value;
}

type Given = Readonly<Record<string, unknown>>;

/** Arguments by place, and by name. */
function placed(name: string, given: Given, entry: Entry): [unknown[], Given] {
  const { places = [], rest, more } = entry;
  if (Array.isArray(given)) return [given as unknown[], {}];
  const named: Record<string, unknown> = { ...given };
  const args = places.map((place) => named[place]);
  for (const place of places) delete named[place];
  const behind = rest === undefined ? [] : ((named[rest] ?? []) as unknown[]);
  while (behind.length === 0 && args.length > 0 && args.at(-1) === undefined)
    args.pop();
  const missing = args.indexOf(undefined);
  if (missing >= 0)
    throw new UsageError(
      `${name}: ${places[missing] ?? ""} is needed before what follows it`,
    );
  const others = more === undefined ? {} : (named[more] as Given | undefined);
  if (rest !== undefined) delete named[rest];
  if (more !== undefined) delete named[more];
  return [[...args, ...behind], { ...named, ...others }];
}

function known(error: unknown, errors: readonly ErrorClass[] = []): unknown {
  if (!(error instanceof CallError)) return error;
  const Known = errors.find(({ code }) => code === error.code);
  return Known
    ? new Known(error.method, error.code, error.reason, error.data)
    : error;
}

"""

CALL = """\
async function call(
  link: Link,
  name: string,
  given: Given,
  options: CallOptions | undefined,
  entry: Entry,
): Promise<unknown> {
  const [args, kwargs] = placed(name, given, entry);
  try {
    return widened(await link.call(name, args, kwargs, options), entry.wide);
  } catch (error) {
    throw known(error, entry.errors);
  }
}

"""

STREAM = """\
async function* stream(
  link: Link,
  name: string,
  given: Given,
  options: StreamOptions | undefined,
  entry: Entry,
): AsyncGenerator<unknown, void, undefined> {
  const [args, kwargs] = placed(name, given, entry);
  try {
    for await (const item of link.stream(name, args, kwargs, options))
      yield widened(item, entry.wide);
  } catch (error) {
    throw known(error, entry.errors);
  }
}

"""

HANDLERS = """\
type Handle = (args: Given, context: HandlerContext) => unknown;

/** Handlers by the names of their methods. */
function flat(tree: object, prefix = ""): [string, Handle][] {
  return Object.entries(tree).flatMap(([name, inner]: [string, unknown]) =>
    typeof inner === "function"
      ? [[prefix + name, inner as Handle]]
      : flat(inner as object, `${prefix}${name}.`),
  );
}

function handlersOf(tree: object): Record<string, Handler<never, never>> {
  const made = flat(tree).map(([name, handle]): [string, Handler] => {
    const { places = [], wide } = HANDLERS[name] ?? {};
    return [
      name,
      (args, kwargs, context) => {
        const placed = places.slice(0, args.length);
        const given = placed.map((place, index) => [place, args[index]]);
        const whole = { ...Object.fromEntries(given), ...kwargs } as Given;
        return handle(widened(whole, wide) as Given, context);
      },
    ];
  });
  return Object.fromEntries(made) as Record<string, Handler<never, never>>;
}

"""

BUILD = """\
/** The object or function at the end of a dotted name. */
function member(api: object, name: string, made?: object): object {
  const words = name.split(".");
  return words.reduce<object>((holder, word, index) => {
    const last = index === words.length - 1;
    const own = Object.getOwnPropertyDescriptor(holder, word);
    // What is not enumerable is a function's own: its name and length.
    const there = (own?.enumerable ? own.value : {}) as object;
    const value = last && made ? made : there;
    if (value !== there)
      Object.defineProperties(value, Object.getOwnPropertyDescriptors(there));
    const shown = { value, enumerable: true, configurable: true };
    Object.defineProperty(holder, word, shown);
    return value;
  }, api);
}

"""

OPTIONS = """\
/** See `ConnectOptions`. */
export interface ApiConnectOptions extends Omit<ConnectOptions, "handlers"> {
  readonly handlers?: ApiHandlers | undefined;
}

"""

CONNECT = """\
/** Connects, as `connect` does. */
export async function connectApi(
  target?: string | URL | LaunchedSession | Transport,
  options: ConnectOptions = {},
): Promise<Api> {
  return apiOf(await connect(target, options));
}

"""

CONNECT_WITH_HANDLERS = """\
/** Connects, as `connect` does, and serves what the server calls. */
export async function connectApi(
  target?: string | URL | LaunchedSession | Transport,
  options: ApiConnectOptions = {},
): Promise<Api> {
  const { handlers = {}, ...others } = options;
  const served = handlersOf(handlers);
  return apiOf(await connect(target, { ...others, handlers: served }));
}

"""

API = """\
/** What the server at the other end of a link offers. */
export function apiOf(link: Link): Api {
  const api = { $link: link };
  for (const [name, entry] of Object.entries(METHODS)) {
METHOD
    member(api, name, method);
  }
TOPICS
  return api as unknown as Api;
}
"""

METHOD = """\
    const method = (given?: Given, options?: CallOptions): unknown =>
      call(link, name, given ?? {}, options, entry);
"""

METHOD_OR_STREAM = """\
    const method = (
      given?: Given,
      options?: CallOptions & StreamOptions,
    ): unknown =>
      entry.stream
        ? stream(link, name, given ?? {}, options, entry)
        : call(link, name, given ?? {}, options, entry);
"""

TOPICS = """\
  for (const [name, { wide }] of Object.entries(TOPICS)) {
    const subscribe = (callback: Callback, options?: SubscribeOptions) =>
      link.subscribe(
        name,
        (payload, info) => callback(widened(payload, wide), info),
        options,
      );
    Object.assign(member(api, name), { subscribe });
  }
"""


def connect(handlers: bool, streams: bool, topics: bool) -> str:
    """What connects, for a server with or without page methods, streams and topics."""
    method = METHOD_OR_STREAM if streams else METHOD
    api = API.replace("METHOD\n", method).replace("TOPICS\n", TOPICS if topics else "")
    return (OPTIONS + CONNECT_WITH_HANDLERS if handlers else CONNECT) + api


DECLARED = frozenset(
    re.findall(
        r"^(?:export )?(?:async )?(?:interface|type|const|function\*?|class) (\w+)",
        "\n".join(
            (TOPIC, UNTYPED, ENTRY, CALL, STREAM, HANDLERS, BUILD, OPTIONS, CONNECT, API, "interface ApiHandlers")
        ),
        re.MULTILINE,
    )
)
"""Names that a module declares for itself."""
