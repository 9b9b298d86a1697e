// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Message } from "../../src/notebook/messages.js";
import widget from "../../src/notebook/widget.js";

const GONE = "The kernel of this page has ended. Run the cell again.";
const SILENT = /^The kernel does not answer: .*run the cell again\.$/;

type Listener = (content: Message, buffers?: DataView[]) => void;

/** A model of anywidget's, and what was sent with it. */
class Model {
  readonly sent: Message[] = [];
  readonly listeners = new Map<string, Listener>();
  dead = false;

  send(content: Message): void {
    if (this.dead) throw new Error("Cannot send"); // as JupyterLab's
    this.sent.push(content);
  }

  on = (event: string, listener: Listener): void => void this.listeners.set(event, listener);
  off = (event: string): void => void this.listeners.delete(event);

  get kinds(): string[] {
    return this.sent.map(({ kind }) => kind);
  }
}

describe("the place of a page below a cell", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("FRAME_SCRIPT", "");
  });

  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  function show(): { model: Model; close: () => void; notice: () => string; ready: () => void } {
    const model = new Model();
    const el = document.createElement("div");
    document.body.append(el);
    const close = widget.render({ model, el });
    const notice = el.querySelector<HTMLElement>("[role=status]");
    const source = el.querySelector("iframe")?.contentWindow;
    const ready = (): void => void dispatchEvent(Object.assign(new MessageEvent("message", { data: "wslink-notebook" }), { source }));
    return { model, close, ready, notice: () => (notice?.hidden === false ? notice.textContent : "") };
  }

  const hide = (persisted: boolean): void => void dispatchEvent(Object.assign(new Event("pagehide"), { persisted }));

  test("says that the kernel does not answer, as where a notebook is opened with what was saved", () => {
    const { ready, notice, model } = show();
    ready();
    expect(notice()).toBe("");
    vi.advanceTimersByTime(5000);
    expect(notice()).toMatch(SILENT);
    model.listeners.get("msg:custom")?.({ kind: "pong", view: model.sent.at(-1)?.view ?? "" });
    expect(notice()).toBe("");
  });

  test("says it where the frame does not even load", () => {
    const { notice } = show();
    vi.advanceTimersByTime(5000);
    expect(notice()).toMatch(SILENT);
  });

  test("notices a kernel that has died and told nobody, and says so for good", () => {
    const { ready, notice, model } = show();
    ready();
    model.dead = true;
    for (const time of [5000, 600_000]) {
      vi.advanceTimersByTime(time);
      expect(notice()).toBe(GONE);
    }
    ready(); // the frame was moved, and is loaded again
    vi.advanceTimersByTime(600_000);
    expect(notice()).toBe(GONE);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("tells the kernel when the notebook's page goes, but not where the browser may show it again", () => {
    const { ready, model } = show();
    ready();
    hide(true);
    expect(model.kinds).toEqual([]);
    hide(false);
    expect(model.kinds).toEqual(["leave"]);
  });

  test("leaves nothing behind", () => {
    const { ready, model, close } = show();
    ready();
    close();
    hide(false);
    expect(model.kinds).toEqual(["leave"]);
    expect(model.listeners.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});
