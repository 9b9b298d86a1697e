// A view that VTK renders in Python: its frames are drawn here, and the mouse turns its camera there.
import vtkWSLinkClient from "@kitware/vtk.js/IO/Core/WSLinkClient";
import vtkRemoteView, { connectImageStream, disconnectImageStream } from "@kitware/vtk.js/Rendering/Misc/RemoteView";
import SmartConnect from "wslink/src/SmartConnect";

const sides = document.getElementById("sides");
const status = document.getElementById("status");

vtkWSLinkClient.setSmartConnectClass(SmartConnect);

// What the page calls in Python, beside what vtk.js calls for the view.
const protocols = {
  Cone: (session) => ({ resize: (count) => session.call("cone.sides", [count]) }),
};

const client = vtkWSLinkClient.newInstance({ protocols });
client.onConnectionClose(() => {
  sides.disabled = true;
  status.value = "connection lost";
  disconnectImageStream();
});

const secret = new URLSearchParams(location.search).get("secret") ?? undefined;
const sessionURL = location.protocol === "https:" ? "wss://USE_HOST/ws" : "ws://USE_HOST/ws";

try {
  await client.connect({ sessionURL, secret });
  show(client.getConnection().getSession());
} catch (reason) {
  status.value = "no connection";
  console.error(reason);
}

function show(session) {
  connectImageStream(session);
  const view = vtkRemoteView.newInstance({ rpcWheelEvent: "viewport.mouse.zoom.wheel" });
  view.setSession(session);
  view.setContainer(document.getElementById("view"));
  view.setViewId("-1"); // the server's active view
  view.setInteractiveRatio(0.7); // while it moves, smaller frames in worse quality are enough
  view.setInteractiveQuality(50);
  window.addEventListener("resize", view.resize);

  let frames = 0;
  view.getViewStream().onImageReady(({ metadata }) => {
    frames += 1;
    status.value = `${frames} frames, ${metadata.size.join(" x ")}`;
  });
  sides.addEventListener("input", () => client.getRemote().Cone.resize(sides.valueAsNumber));
  sides.disabled = false;
}
