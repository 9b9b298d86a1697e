// What VS Code's Jupyter extension does in the webview of a notebook: a connection to the kernel whose WebSocket is the process outside, and VS Code's own
// widget manager on top of it. `kernelOf` and `WidgetManager` come from the packages that scripts/vscode fetches.

const container = document.getElementById("container");

function toText(data) {
  const bytes = new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);
  let text = "";
  for (let i = 0; i < bytes.length; i += 32_768) text += String.fromCharCode(...bytes.subarray(i, i + 32_768));
  return btoa(text);
}

class ProxySocket {
  static OPEN = 1;
  readyState = 0;
  protocol = "";

  constructor() {
    globalThis.fromKernel = (binary, data) => this.onmessage?.({ data: binary ? Uint8Array.from(atob(data), (one) => one.charCodeAt(0)).buffer : data });
    setTimeout(() => {
      this.readyState = 1;
      this.onopen?.({});
    });
  }

  send(data) {
    if (typeof data === "string") globalThis.toKernel(false, data);
    else globalThis.toKernel(true, toText(data));
  }

  close() {}
}

const loader = {
  widgetsRegisteredInRequireJs: new Set(),
  errorHandler: (...what) => console.error(what.map(String).join(" ")),
  successHandler() {},
  async loadWidgetScript(name) {
    globalThis.requirejs.config({ paths: { [name]: new URL(name, location.href).href } });
    this.widgetsRegisteredInRequireJs.add(name);
  },
};

globalThis.violations = [];
document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => globalThis.violations.push(`${violatedDirective} ${blockedURI}`));

/** Connects to a kernel, and gives what runs a cell: it resolves with the errors of the cell and of what it shows. */
globalThis.startWidgets = async (id, clientId) => {
  const kernel = globalThis.kernelOf(id, clientId, ProxySocket);
  await globalThis.vscIPyWidgets8.load();
  const manager = new globalThis.vscIPyWidgets.WidgetManager(kernel, container, loader, () => {});
  await kernel.info;
  globalThis.runCell = async (code) => {
    const cell = document.createElement("div");
    container.append(cell);
    const errors = [];
    const future = kernel.requestExecute({ code });
    const shown = [];
    future.onIOPub = ({ header, content }) => {
      if (header.msg_type === "error") errors.push(`${content.ename}: ${content.evalue}`);
      const data = content.data?.["application/vnd.jupyter.widget-view+json"];
      if (data) shown.push(show(manager, data, cell).catch((error) => errors.push(String(error))));
    };
    await future.done;
    await Promise.all(shown);
    return errors;
  };
};

async function show(manager, data, node) {
  const view = await manager.create_view(await manager.get_model(data.model_id), { el: node });
  await manager.display_view(data, view, { node });
}
