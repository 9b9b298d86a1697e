// Compiled, not run: what programs for the released API may write, with the imports that they write. Needs a build: the package is
// imported by its name.
import { CompositeClosureHelper, ProcessLauncher, SmartConnect as Smart, WebsocketConnection as Websocket, WsLinkClient, connect } from "wslink";
import ClosureHelper, { capitalize } from "wslink/src/CompositeClosureHelper";
import Launcher, { type LaunchedSession } from "wslink/src/ProcessLauncher/index.js";
import SmartConnect, {
  DEFAULT_SESSION_MANAGER_URL,
  type Event,
  type ISmartConnectConfig,
  type ISmartConnectInitialValues,
  newInstance,
} from "wslink/src/SmartConnect";
import WebsocketConnection, { type Failure, type SubscriberInfo, type WebsocketSession } from "wslink/src/WebsocketConnection";
import WsLink, { type vtkWSLinkClient } from "wslink/src/WsLinkClient";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function same<A, B>(...proof: Same<A, B> extends true ? [] : [never]): void;

same<typeof Smart, typeof SmartConnect>();
same<typeof Websocket, typeof WebsocketConnection>();
same<typeof CompositeClosureHelper, typeof ClosureHelper>();
same<typeof ProcessLauncher, typeof Launcher>();
same<typeof WsLinkClient, typeof WsLink>();
same<typeof DEFAULT_SESSION_MANAGER_URL, string>();
same<ReturnType<typeof capitalize>, string>();
void connect("ws://localhost/ws");

// SmartConnect
const config: ISmartConnectConfig = { sessionURL: "ws://USE_HOST/ws", application: "cone", size: [1, 2], retry: 3, launcherRetry: [1000] };
const initial: ISmartConnectInitialValues = { config, configDecorator: (given) => ({ ...given, secret: "s" }) };
const smart: SmartConnect = newInstance(initial);
smart.onConnectionReady((connection) => same<typeof connection, WebsocketConnection>()).unsubscribe();
smart.onConnectionError((source, error: Event) => void [source, error]);
smart.onConnectionClose((_, { code, reason }) => void [same<typeof code, number | undefined>(), reason]);
smart.connect();
smart.destroy();
// @ts-expect-error a timeout is in seconds
smart.destroy("60");
// @ts-expect-error a secret is text
newInstance({ config: { secret: 7 } });

// sessions
declare const session: WebsocketSession;
async function calls(): Promise<void> {
  const { call, addAttachment } = session;
  const colour = await call<{ red: number }>("lamp.colour", [1, addAttachment(new ArrayBuffer(2))], { fast: true }, { timeout: 10 });
  same<typeof colour, { red: number }>();
  same<ReturnType<typeof addAttachment<Uint8Array>>, Uint8Array>();
  // @ts-expect-error arguments are a list
  await call("lamp.colour", 7);
  const subscription = session.subscribe("lamp", ([state]: [{ on: boolean }]) => state.on);
  const info: SubscriberInfo<{ on: boolean }> = await subscription.promise;
  await session.unsubscribe(info);
  await subscription.unsubscribe();
  await session.close();
}
void calls;
same<Failure["code"], number>();

// connections
const connection = WebsocketConnection.newInstance({ urls: "ws://localhost/ws", secret: "s", wsProxy: false, callTimeout: 1000 });
same<ReturnType<typeof connection.connect>, WebsocketSession | null>();
same<ReturnType<typeof connection.getUrl>, string | undefined>();
connection.destroy(-1);

// launchers
const launcher = Launcher.newInstance({ endPoint: "/paraview" });
launcher.onProcessReady((launched: LaunchedSession) => same<typeof launched.sessionURL, string | undefined>());
launcher.onProgress((progress) => same<typeof progress.state, "starting" | "waiting">());
launcher.start({ application: "cone", headers: { Authorization: "..." } });

// clients
WsLink.setSmartConnectClass(SmartConnect);
const client = WsLink.newInstance({
  protocols: { Lamp: (remote: WebsocketSession) => ({ colour: (fast: boolean) => remote.call<string>("lamp.colour", [fast]) }) },
  notBusyList: ["subscribe"],
});
same<ReturnType<ReturnType<typeof client.getRemote>["Lamp"]["colour"]>, Promise<string>>();
const untyped: vtkWSLinkClient = WsLink.newInstance();
void untyped.getRemote().Lamp?.colour?.(true);
void client.connect({ sessionURL: "ws://localhost/ws" }, (given) => given).then((same_) => same<typeof same_, typeof client>());
