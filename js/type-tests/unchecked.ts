// Compiled, not run: programs that were written for the released types, in which what servers send is `any`.
/* eslint-disable @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access */
import SmartConnect from "wslink/src/SmartConnect";
import WebsocketConnection, { type WebsocketSession } from "wslink/src/WebsocketConnection";

const smart = SmartConnect.newInstance({ config: { sessionURL: "ws://localhost/ws" } });
smart.onConnectionError((source: WebsocketConnection, error) => void [source.getSession().call("lamp.off"), error.message]);
smart.getSession().subscribe("lamp", console.log);
WebsocketConnection.newInstance({ secret: "s", retry: true, connection: null, session: null });

declare const session: WebsocketSession;
async function use(listen: (states: { on: boolean }[]) => Promise<unknown>): Promise<void> {
  const reply = await session.call("lamp.state");
  const on: boolean = reply.lamps[0].on;
  const { colour, ...others } = await session.call("lamp.colour", [on]);
  const key: string = session.addAttachment(new Blob([colour, others]));
  session.subscribe("lamp", async (args) => Promise.resolve(args[0].on));
  session.subscribe("lamp", listen);
  const subscription = session.subscribe("lamp", async (args: { on: boolean }[]) => Promise.resolve(args));
  await session.unsubscribe(await subscription.promise);
  await session.call("lamp.picture", [key]);
}
void use;
