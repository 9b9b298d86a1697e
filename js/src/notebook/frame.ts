// The script of the frame in which a notebook shows a page: it gets the page's files from the kernel, and shows them with a WebSocket that leads there.
import { Channel } from "./channel.js";
import { ownPath } from "./messages.js";
import { Files, Page, replaceSources, textOf } from "./page.js";
import { replaceWebSocket } from "./socket.js";

/** Lets `fetch` of the page's own files go over `channel`. */
function replaceFetch(channel: Channel): void {
  const outside = globalThis.fetch;
  globalThis.fetch = async (input, options) => {
    const request = new Request(input instanceof Request ? input : new URL(input, document.baseURI), options);
    const path = ownPath(request.url);
    if (path === undefined) return outside(request);
    if (!["GET", "HEAD"].includes(request.method)) return new Response("", { status: 405 });
    const { status, type, body } = await channel.read(path);
    return new Response(request.method === "HEAD" ? null : body, { status, headers: { "Content-Type": type } });
  };
}

/** Has what scripts put into the page loaded from the kernel, too. */
function watch(files: Files): void {
  const observer = new MutationObserver((changes) => {
    for (const { type, target, addedNodes } of changes) {
      for (const node of type === "attributes" ? [target] : addedNodes) {
        if (node instanceof Element) void replaceSources(node, files, document.baseURI);
      }
    }
  });
  observer.observe(document, { subtree: true, childList: true, attributeFilter: ["src", "poster", "data"] });
}

async function show(channel: Channel): Promise<void> {
  const files = new Files(channel);
  const index = await channel.read("index.html");
  const html = index.status === 200 ? textOf(index) : `<pre>index.html: ${index.status} ${textOf(index)}</pre>`;
  const page = await new Page(files, html).complete();
  document.open();
  document.write(page); // eslint-disable-line @typescript-eslint/no-deprecated -- it keeps this window, and runs scripts as a page does
  document.close();
  watch(files);
}

addEventListener("message", ({ data, ports: [port] }: MessageEvent) => {
  if (data !== "wslink-notebook" || !port) return;
  const channel = new Channel(port);
  replaceWebSocket(channel);
  replaceFetch(channel);
  void show(channel);
});
parent.postMessage("wslink-notebook", "*");
