// ProcessLauncher against a scripted launcher. npm 2.5.0 starts processes; its other requests end in an exception of its own.
import { describe, expect, test } from "vitest";
import type { ProcessLauncher } from "../../src/legacy/ProcessLauncher.js";
import { Launcher } from "../support/launcher.js";
import { MAKERS, ours } from "../support/legacy.js";

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
});
