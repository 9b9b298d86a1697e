// What of JupyterLab's services a kernel's connection takes, for esbuild.
import { ServerConnection } from "@jupyterlab/services";
import { KernelConnection } from "@jupyterlab/services/lib/kernel/default";

globalThis.kernelOf = (id, clientId, WebSocket) => {
  const serverSettings = ServerConnection.makeSettings({ baseUrl: "http://127.0.0.1/", wsUrl: "ws://127.0.0.1/", WebSocket });
  return new KernelConnection({ serverSettings, clientId, handleComms: true, username: "", model: { id, name: "python3" } });
};
