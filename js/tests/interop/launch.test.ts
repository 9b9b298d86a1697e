// launch() and connect() with a launcher that runs as a process of its own.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LaunchError, type LaunchProgress, connect, launch } from "../../src/index.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const PYTHON = process.env.WSLINK_PYTHON ?? "";
const TOKEN = "the-administrators-token";

const SERVER = `
from wslink import App
app = App()
@app.method("add")
def add(one: int, two: int) -> int:
    return one + two
`;
const SLOW = "import time; time.sleep(60)";
const serve = ["-m", "wslink", "serve", "server:app", "--host", "${host}", "--port", "${port}", "--authKey", "${secret}"];
const configuration = (folder: string): object => ({
  configuration: {
    host: "127.0.0.1",
    port: 0,
    endpoint: "a/viewers",
    proxy_file: "",
    sessionURL: "ws://USE_HOST/a/viewers/session/${id}/${token}/ws",
    timeout: 30,
    log_dir: join(folder, "log"),
    fields: [],
    admin_token_file: join(folder, "token"),
    stop_grace: 0.2,
  },
  resources: [{ host: "127.0.0.1", port_range: [23_700, 23_720] }],
  properties: {},
  apps: {
    viewer: { cmd: [PYTHON, ...serve], cwd: folder, ready_line: "Starting factory" },
    failing: { cmd: [PYTHON, "-S", "-c", "import sys; print('the reason', sys.argv[1]); sys.exit(3)", "${secret}"] },
    slow: { cmd: [PYTHON, "-S", "-c", SLOW], ready_line: "never" },
  },
});

let folder: string;
let launcher: ChildProcess;
let url: string;

beforeAll(async () => {
  if (!PYTHON) throw new Error("WSLINK_PYTHON must name a Python: see README.md");
  folder = mkdtempSync(join(tmpdir(), "wslink-launch-"));
  writeFileSync(join(folder, "server.py"), SERVER);
  writeFileSync(join(folder, "token"), TOKEN);
  writeFileSync(join(folder, "launcher.json"), JSON.stringify(configuration(folder)));
  const env = { ...process.env, PYTHONPATH: join(ROOT, "src") };
  launcher = spawn(PYTHON, ["-m", "wslink.launcher", join(folder, "launcher.json")], { env, stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface(launcher.stdout as NodeJS.ReadableStream)) {
    const [, address] = /listening on (\S+)/.exec(line) ?? [];
    if (address) return void (url = `http://${address}/a/viewers/`);
  }
  throw new Error("the launcher did not start");
});

afterAll(async () => {
  const ended = new Promise((resolve) => launcher.once("exit", resolve));
  launcher.kill("SIGTERM");
  await ended;
  rmSync(folder, { recursive: true });
});

/** What the launcher tells its administrator. */
async function overview(): Promise<{ sessions: { application: string }[]; free_ports: number }> {
  const response = await fetch(url, { headers: { Authorization: `Bearer ${TOKEN}` } });
  return (await response.json()) as { sessions: { application: string }[]; free_ports: number };
}

test("starts a session that can be used", async () => {
  const seen: LaunchProgress["state"][] = [];
  const session = await launch(url, { application: "viewer" }, { onProgress: ({ state }) => seen.push(state) });
  expect(seen).toEqual(["starting", "ready"]);
  const link = await connect(session);
  expect(await link.call("add", [1, 2])).toBe(3);
  await link.close();
});

test("says why a session does not start", async () => {
  const error: unknown = await launch(url, { application: "failing" }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(LaunchError);
  expect(error).toMatchObject({ status: 503, exitCode: 3, log: "the reason ***\n" });
  await expect(launch(url, { application: "nothing" })).rejects.toMatchObject({ status: 400, message: "There is no such application." });
  await expect(launch(url, { application: "viewer" }, { headers: { Origin: "https://evil.example" } })).rejects.toMatchObject({ status: 403 });
});

test("a start that is given up leaves nothing behind", async () => {
  const before = (await overview()).free_ports;
  const giving = new AbortController();
  const launching = launch(url, { application: "slow" }, { signal: giving.signal });
  const settled = expect(launching).rejects.toThrow("enough");
  while (!(await overview()).sessions.some(({ application }) => application === "slow"));
  giving.abort(new Error("enough"));
  await settled;
  while ((await overview()).free_ports !== before);
  expect((await overview()).sessions.map(({ application }) => application)).not.toContain("slow");
});
