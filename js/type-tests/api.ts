// Compiled, not run: what the public types must allow, and what they must not.
import {
  type AuthenticationError,
  type CallError,
  type CloseInfo,
  type ConnectOptions,
  type ConnectionError,
  type DType,
  type Filter,
  type LaunchError,
  type LaunchProgress,
  type LaunchedSession,
  type Link,
  NDArray,
  type PublicationInfo,
  type Subscription,
  type Transport,
  type WslinkError,
  connect,
  launch,
} from "../src/index.js";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function same<A, B>(...proof: Same<A, B> extends true ? [] : [never]): void;

declare const link: Link;
declare const transport: Transport;

// connect
same<Awaited<ReturnType<typeof connect>>, Link>();
void connect("ws://localhost/ws", { secret: "s", timeout: 1000, callTimeout: 5, signal: new AbortController().signal });
void connect(new URL("http://localhost/ws"), { WebSocket, maxMessage: 2 ** 20, maxPartial: 4 });
void connect(transport);
// @ts-expect-error a secret is text
void connect(undefined, { secret: null });
// @ts-expect-error options have names
void connect("ws://localhost/ws", { secert: "s" });
const options: ConnectOptions = {};
void connect(undefined, options);

// launch
async function starts(): Promise<void> {
  const options = { headers: { Authorization: "Bearer t" }, timeout: 60_000, signal: new AbortController().signal };
  const session = await launch("viewers/", { application: "terrain", size: 3 }, { ...options, onProgress: show });
  same<typeof session, LaunchedSession>();
  same<LaunchedSession["secret"], string | undefined>();
  same<LaunchedSession["anything"], unknown>();
  same<typeof asLaunchError.exitCode, number | undefined>();
  void connect(session, { callTimeout: 5 });
  void launch(new URL("http://localhost/viewers/"), { application: "terrain" });
  // @ts-expect-error what to start has to be said
  void launch("viewers/", {});
}
function show(progress: LaunchProgress): string {
  switch (progress.state) {
    case "waiting":
      return progress.for;
    case "ready":
      return progress.session.sessionURL;
    case "failed":
      return String(progress.error);
    case "starting":
      return progress.state;
  }
}
declare const asLaunchError: LaunchError;
void starts;

// call
same<Awaited<ReturnType<typeof link.call>>, unknown>();
async function calls(): Promise<void> {
  const light = await link.call<{ tiles: number }>("terrain.light", [315], { altitude: 30 }, { timeout: 2000 });
  same<typeof light, { tiles: number }>();
  await link.call("terrain.light");
  // @ts-expect-error a result is unknown until it is said what it is
  (await link.call("terrain.light")).tiles;
  // @ts-expect-error arguments are a list
  await link.call("terrain.light", 315);
}
void calls;

// streams
async function streams(file: Blob): Promise<void> {
  for await (const part of link.stream<{ step: number }>("mesh.refine", [3], { fine: true }, { window: 8, timeout: 1000 })) same<typeof part, { step: number }>();
  for await (const part of link.stream("mesh.refine")) same<typeof part, unknown>();
  await link.call("file.upload", ["points", file.stream()]);
  // @ts-expect-error a stream is not made twice
  link.stream("mesh.refine", [], {}, { retry: true });
}
void streams;

// subscribe
const subscription = link.subscribe<NDArray<"<f4">>("terrain.tile", (tile, info) => {
  same<typeof tile.data, Float32Array>();
  same<typeof info, PublicationInfo>();
});
same<typeof subscription, Subscription>();
same<Subscription["ready"], Promise<void>>();
link.subscribe("terrain.tile", (tile) => {
  same<typeof tile, unknown>();
});
link.subscribe("terrain.tile", async () => Promise.resolve());
void subscription.update({ row: 5 });
void subscription.update(null);
void subscription.cancel();
same<typeof link.closed, Promise<CloseInfo>>();

// filters
const filters: Filter[] = [{}, { row: 3 }, { row: [3, "a", true] }, { row: { gte: 3, lt: 6 }, name: { ne: false } }];
void filters;
const combined: Filter[] = [{ or: [{ row: 1 }, { not: { name: { prefix: "a" } } }], and: [{ row: { exists: false } }] }];
void combined;
// @ts-expect-error or takes filters
const either: Filter = { or: 3 };
// @ts-expect-error a prefix is a string
const begins: Filter = { name: { prefix: 1 } };
void [either, begins];
// @ts-expect-error no such bound
const between: Filter = { row: { between: 3 } };
// @ts-expect-error booleans have no order (SUB-10)
const order: Filter = { row: { gte: true } };
// @ts-expect-error null is no tag
const nothing: Filter = { row: null };
void [between, order, nothing];

// arrays
same<NDArray<"<i8">["data"], BigInt64Array>();
same<NDArray["dtype"], DType>();
new NDArray(new Float32Array(6), [2, 3]);
new NDArray(new Float32Array(6), [3], "<c8");
// @ts-expect-error the typed array is not that of the dtype
new NDArray(new Float32Array(6), [6], "<i4");

// errors
declare const authentication: AuthenticationError;
declare const connection: ConnectionError;
const asCallError: CallError = authentication;
const errors: WslinkError[] = [asCallError, connection, asLaunchError];
void errors;
same<ConnectionError["code"], number>();
same<CallError["data"], unknown>();

// Nothing in the public API is `any`.
type IsAny<T> = 0 extends 1 & T ? true : false;
same<IsAny<Parameters<Parameters<typeof link.subscribe>[1]>[0]>, false>();
same<IsAny<Awaited<ReturnType<typeof link.call>>>, false>();
