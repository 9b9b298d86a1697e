// The module that anywidget loads in the notebook's page: it shows a frame, and passes messages on between that and the kernel.
import type { Message, Parcel } from "./messages.js";
import { Watch } from "./watch.js";

/** The part of anywidget's model that is used here. */
interface Model {
  send(content: Message, callbacks?: undefined, buffers?: ArrayBuffer[]): void;
  on(event: string, listener: (content: Message, buffers?: DataView[]) => void): void;
  off(event: string, listener: (content: Message, buffers?: DataView[]) => void): void;
}

/** The script of the frame; put here by the build. */
declare const FRAME_SCRIPT: string;

/**
 * What the page may do. Its origin is its own, as without `allow-same-origin`: a page that shows what others sent cannot reach the notebook's page, and
 * with it the kernel.
 */
const SANDBOX = "allow-scripts allow-forms allow-popups allow-downloads allow-modals allow-pointer-lock";
const GONE = "The kernel of this page has ended. Run the cell again.";
const SILENT = "The kernel does not answer: it is busy with another cell, out of reach, or has ended. If it has ended, run the cell again.";

/** The frame of one place that shows the widget, and who it is to the kernel: another with each page that is loaded there. */
class View {
  readonly #frame = document.createElement("iframe");
  readonly #notice = document.createElement("div");
  #id = "";
  #port: MessagePort | undefined;
  #gone = false;
  readonly #watch = new Watch(
    () => this.#send({ kind: "ping" }),
    (silent) => this.#say(silent ? SILENT : ""),
  );

  constructor(
    readonly model: Model,
    el: HTMLElement,
  ) {
    this.#frame.setAttribute("sandbox", SANDBOX);
    this.#frame.title = "wslink";
    this.#frame.srcdoc = `<!doctype html><meta charset="utf-8"><script>${FRAME_SCRIPT}</script>`;
    this.#frame.style.cssText = "display: block; width: 100%; height: 100%; border: 0; background: white";
    this.#notice.style.cssText = "position: absolute; inset: 0 0 auto; padding: 4px 8px; font: 13px sans-serif; color: #3d2c00; background: #ffe9a8";
    this.#notice.setAttribute("role", "status");
    this.#notice.hidden = true;
    el.style.position = "relative";
    el.append(this.#frame, this.#notice);
    addEventListener("message", this.#ready);
    model.on("msg:custom", this.#fromKernel);
    for (const event of ["comm_live_update", "comm:close", "destroy"]) model.on(event, this.#lost);
    addEventListener("pagehide", this.#hidden);
    this.#watch.start();
  }

  close(): void {
    this.#watch.stop();
    removeEventListener("pagehide", this.#hidden);
    removeEventListener("message", this.#ready);
    this.model.off("msg:custom", this.#fromKernel);
    for (const event of ["comm_live_update", "comm:close", "destroy"]) this.model.off(event, this.#lost);
    this.#leave();
    this.#frame.remove();
    this.#notice.remove();
  }

  /** The frame has loaded its script, and is another page than before. */
  readonly #ready = ({ source, data }: MessageEvent): void => {
    if (source !== this.#frame.contentWindow || data !== "wslink-notebook") return;
    this.#leave();
    this.#id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.onmessage = ({ data: { content, buffers } }: MessageEvent<Parcel>) => this.#send(content, buffers);
    if (!this.#gone) this.#watch.start();
    this.#frame.contentWindow?.postMessage("wslink-notebook", "*", [port2]);
  };

  #send(content: Message, buffers: ArrayBuffer[] = []): void {
    try {
      this.model.send({ ...content, view: this.#id }, undefined, buffers);
    } catch {
      this.#lost(); // JupyterLab throws while the kernel is being restarted
    }
  }

  #leave(): void {
    if (this.#id) this.#send({ kind: "leave" });
    this.#port?.close();
    this.#id = "";
  }

  /** The notebook's page ends, unless the browser keeps it for a return. */
  readonly #hidden = ({ persisted }: PageTransitionEvent): void => {
    if (!persisted) this.#leave();
  };

  #say(text: string): void {
    this.#notice.textContent = text;
    this.#notice.hidden = text === "";
  }

  readonly #fromKernel = (content: Message, buffers: DataView[] = []): void => {
    if (content.view !== this.#id || !this.#id) return;
    this.#watch.heard();
    if (content.kind === "ping") this.#send({ kind: "pong", ...(content.connection !== undefined && { connection: content.connection }) });
    else this.#toFrame(content, buffers.map(copied));
  };

  #toFrame(content: Message, buffers: ArrayBuffer[]): void {
    this.#port?.postMessage({ content, buffers } satisfies Parcel, buffers);
  }

  /** The kernel is another, or none. */
  readonly #lost = (): void => {
    this.#gone = true;
    this.#watch.stop();
    this.#say(GONE);
    this.#toFrame({ kind: "gone" }, []);
  };
}

function copied({ buffer, byteOffset, byteLength }: DataView): ArrayBuffer {
  return (buffer as ArrayBuffer).slice(byteOffset, byteOffset + byteLength);
}

export default {
  render({ model, el }: { model: Model; el: HTMLElement }): () => void {
    const view = new View(model, el);
    return () => view.close();
  },
};
