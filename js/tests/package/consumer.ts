// Compiled against the published package.
// As newer clients of trame do.
import type { vtkWSLinkClient } from "@kitware/wslink/src/WsLinkClient";
import { CallError, NDArray, SmartConnect, connect } from "wslink";
import { connect as served } from "wslink/client.js";
import { useCall, useLink, useTopic } from "wslink/react";
import * as everything from "wslink/src";
import Helper, { capitalize } from "wslink/src/CompositeClosureHelper";
import ProcessLauncher from "wslink/src/ProcessLauncher/index.js";
import Smart, { type ISmartConnectConfig } from "wslink/src/SmartConnect";
import WebsocketConnection from "wslink/src/WebsocketConnection";
import { type Session, newInstance } from "wslink/src/WebsocketConnection/session";
import WsLinkClient from "wslink/src/WsLinkClient";

const config: ISmartConnectConfig = { sessionURL: "ws://localhost/ws" };
const smart: SmartConnect = Smart.newInstance({ config });
smart.connect();
// @ts-expect-error a secret is text
Smart.newInstance({ config: { secret: 7 } });
const session: Session = newInstance({ secret: "s" });
void session.onconnect().then((id: string) => id);
void connect({ secret: "s" }).then((link) => link.call<number>("a.b"));
void served("ws://localhost/ws").catch((error: unknown) => error instanceof CallError);
void [everything.VERSION, Helper.chain, capitalize("a"), ProcessLauncher.newInstance, WebsocketConnection.newInstance, WsLinkClient.newInstance];
void new NDArray(new Float32Array(2)).shape;
export function component(client: vtkWSLinkClient): boolean {
  const { link, state } = useLink("ws://localhost/ws", { secret: "s" });
  const row: number | undefined = useTopic<{ row: number }>(link, "a.topic", { filter: { row: { gte: 3 } } }).payload?.row;
  // @ts-expect-error a link comes first
  useCall("a.method");
  return useCall<number>(link, "a.method").pending || state === "connecting" || client.isBusy() || row === 3;
}
