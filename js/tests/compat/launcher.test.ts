// ProcessLauncher against a scripted launcher. npm 2.5.0 starts processes; its other requests end in an exception of its own.
import { describe, expect, test } from "vitest";
import type { ProcessLauncher } from "../../src/compat/ProcessLauncher.js";
import { Launcher } from "../support/launcher.js";
import { MAKERS, ours } from "../support/compat.js";

type Event = "ProcessReady" | "ProcessStopped" | "Fetch" | "Error";

function fired(launcher: ProcessLauncher, event: Event): Promise<unknown> {
  return new Promise((resolve) => launcher[`on${event}`](resolve));
}

describe.each(MAKERS)("%s", (_, make) => {
  test("starts a process, and keeps what it was told", async () => {
    const { ProcessLauncher } = await make();
    const { requests } = new Launcher([200, { id: "1", sessionURL: "ws://a/" }]);
    const launcher = ProcessLauncher.newInstance({ endPoint: "http://launch" });
    const ready = fired(launcher, "ProcessReady");
    launcher.start({ application: "cone", headers: { a: "b" } });
    expect(await ready).toEqual({ id: "1", sessionURL: "ws://a/" });
    expect(requests).toEqual([{ method: "POST", url: "http://launch", headers: { a: "b" }, body: { application: "cone" } }]);
    expect(launcher.listConnections()).toContainEqual({ id: "1", sessionURL: "ws://a/" });
    expect(launcher.isA("ProcessLauncher")).toBe(true);
  });

  test.each([[[400, { error: "incomplete" }]], [[200, { error: "broken" }]], [[500, null]], ["unreachable"]] as const)("fires an error: %o", async (answer) => {
    const { ProcessLauncher } = await make();
    new Launcher(answer);
    const launcher = ProcessLauncher.newInstance({ endPoint: "http://launch" });
    const error = fired(launcher, "Error");
    launcher.start({ application: "cone" });
    const [status, response] = answer === "unreachable" ? [0, null] : answer;
    expect(await error).toMatchObject({ status, response });
  });

  test("gives up when its waits are used up", async () => {
    const { ProcessLauncher } = await make();
    const { requests } = new Launcher([503, null], [503, null], [200, { id: "2" }]);
    const launcher = ProcessLauncher.newInstance({ endPoint: "http://launch" });
    const error = fired(launcher, "Error");
    launcher.start({ launcherRetry: [1] });
    expect(await error).toMatchObject({ status: 503 });
    expect(requests).toHaveLength(2);
  });
});

describe("ours", () => {
  test("leaves the configuration as it was", async () => {
    const { ProcessLauncher } = await ours();
    new Launcher([503, null], [200, { id: "3" }]);
    const launcher = ProcessLauncher.newInstance({ endPoint: "http://launch" });
    const config = { application: "cone", headers: { a: "b" }, launcherRetry: [1] };
    const ready = fired(launcher, "ProcessReady");
    launcher.start(config);
    await ready;
    expect(config).toEqual({ application: "cone", headers: { a: "b" }, launcherRetry: [1] });
  });

  test("asks about a session, and ends it, with the headers of its start", async () => {
    const { ProcessLauncher } = await ours();
    const { requests } = new Launcher([200, { id: "4" }], [200, { id: "4", sessionURL: "ws://b/" }], [200, { success: true }]);
    const launcher = ProcessLauncher.newInstance({ endPoint: "http://launch" });
    const ready = fired(launcher, "ProcessReady");
    launcher.start({ headers: { a: "b" } });
    await ready;
    const fetched = fired(launcher, "Fetch");
    launcher.fetchConnection("4");
    expect(await fetched).toEqual({ id: "4", sessionURL: "ws://b/" });
    const stopped = fired(launcher, "ProcessStopped");
    launcher.stop({ id: "4" });
    expect(await stopped).toEqual({ success: true });
    expect(launcher.listConnections()).not.toContainEqual({ id: "4" });
    expect(requests.slice(1)).toEqual([
      { method: "GET", url: "http://launch/4", headers: { a: "b" }, body: undefined },
      { method: "DELETE", url: "http://launch/4", headers: { a: "b" }, body: undefined },
    ]);
  });

  test("tells where asking fails", async () => {
    const { ProcessLauncher } = await ours();
    new Launcher([400, { error: "no such session" }]);
    const launcher = ProcessLauncher.newInstance({ endPoint: "http://launch" });
    const error = fired(launcher, "Error");
    launcher.fetchConnection("5");
    expect(await error).toMatchObject({ status: 400, response: { error: "no such session" } });
  });

  test("asks no more once it is destroyed", async () => {
    const { ProcessLauncher } = await ours();
    const { requests } = new Launcher([503, null], [200, {}]);
    const launcher = ProcessLauncher.newInstance({ endPoint: "http://launch" });
    launcher.start({ launcherRetry: [5] });
    setTimeout(() => launcher.destroy(), 2);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(requests).toHaveLength(1);
  });

  describe("with a listener for Progress", () => {
    const STARTING = "event: starting\ndata: {}\n\n";
    const READY = 'event: ready\ndata: {"id": "6", "sessionURL": "ws://c/"}\n\n';
    const FAILED = 'event: failed\ndata: {"status": 503, "error": "It ended.", "exitCode": 3}\n\n';

    async function watched(...answers: ConstructorParameters<typeof Launcher>): Promise<{ launcher: ProcessLauncher; requests: Launcher["requests"]; seen: unknown[] }> {
      const { ProcessLauncher } = await ours();
      const { requests } = new Launcher(...answers);
      const launcher = ProcessLauncher.newInstance({ endPoint: "http://launch" });
      const seen: unknown[] = [];
      launcher.onProgress((progress) => seen.push(progress));
      return { launcher, requests, seen };
    }

    test("tells how far a start is", async () => {
      const waiting = 'event: waiting\ndata: {"for": "a node"}\n\n';
      const { launcher, requests, seen } = await watched({ events: [STARTING.slice(0, 9), STARTING.slice(9) + waiting, READY] });
      const ready = fired(launcher, "ProcessReady");
      launcher.start({ application: "cone" });
      expect(await ready).toEqual({ id: "6", sessionURL: "ws://c/" });
      expect(seen).toEqual([{ state: "starting" }, { state: "waiting", for: "a node" }]);
      expect(requests).toEqual([{ method: "POST", url: "http://launch", headers: { Accept: "text/event-stream" }, body: { application: "cone" } }]);
    });

    test("fires the errors that it fires without one, and tries again as without one", async () => {
      const { launcher, requests } = await watched({ events: [STARTING, FAILED] }, { events: [STARTING + FAILED] });
      const error = fired(launcher, "Error");
      launcher.start({ launcherRetry: [1] });
      expect(await error).toMatchObject({ status: 503, response: { error: "It ended.", exitCode: 3 } });
      expect(requests).toHaveLength(2);
    });

    test.each([
      ["ends early", { events: [STARTING] }, { status: 0, response: null }],
      ["sends what is no event", { events: ["event: ready\ndata: {\n\n"] }, { status: 0, response: { error: "an event of the launcher is no JSON" } }],
      ["answers with JSON", [400, { error: "incomplete" }] as const, { status: 400, response: { error: "incomplete" } }],
    ])("fires an error where a launcher %s", async (_, answer, expected) => {
      const { launcher } = await watched(answer);
      const error = fired(launcher, "Error");
      launcher.start({ application: "cone" });
      expect(await error).toMatchObject(expected);
    });

    test("takes the answer of a released launcher", async () => {
      const { launcher, seen } = await watched([200, { id: "7" }]);
      const ready = fired(launcher, "ProcessReady");
      launcher.start({ application: "cone" });
      expect(await ready).toEqual({ id: "7" });
      expect(seen).toEqual([]);
    });
  });
});
