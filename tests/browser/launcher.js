// Starts a launcher whose administrator has a token, with applications for the tests at hand.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ROOT, tied } from "./demo.js";

export const TOKEN = "the-administrators-token";
export const PYTHON = process.env.WSLINK_PYTHON;
export const READY = "print('it is ready', flush=True)";

/** An application that is a Python program. */
export const program = (source, ...args) => ({ cmd: [PYTHON, "-S", "-E", "-u", "-c", source, ...args], ready_line: "it is ready" });

/** A program that is ready and then waits. */
export const waiting = (first = "") => program(`${first}\n${READY}\nimport time; time.sleep(300)`);

// A scheduler: `python engine.py start|poll|stop|waits NAME [COMMAND ...]`. A job leaves the queue once somebody has asked what it waits for.
const ENGINE = `
import os, pathlib, signal, subprocess, sys, time
verb, name, *command = sys.argv[1:]
job = pathlib.Path(__file__).with_name(name)
asked = job.with_suffix(".asked")
if verb == "start":
    child = subprocess.Popen([sys.executable, __file__, "run", name, *command], stdout=subprocess.DEVNULL, start_new_session=True)
    job.write_text(str(child.pid))
elif verb == "run":
    while not asked.exists():
        time.sleep(0.05)
    os.execv(command[0], command)
elif verb == "poll":
    os.kill(int(job.read_text()), 0)
elif verb == "stop" and job.exists():
    try:
        os.killpg(int(job.read_text()), signal.SIGKILL)
    except ProcessLookupError:
        pass
elif verb == "waits" and not asked.exists():
    print("in the queue, <b>position 1</b>")
    asked.touch()
`;

/** An application that a scheduler starts; it is ready when it listens. */
export const queued = (folder, cmd) => {
  const ask = (verb, ...more) => [PYTHON, join(folder, "engine.py"), verb, "${id}", ...more];
  return { cmd, cwd: folder, spawner: "command", options: { start: ask("start", "${command}"), poll: ask("poll"), stop: ask("stop"), waits: ask("waits") } };
};

/**
 * Runs `python -m wslink.launcher` in a folder of its own.
 *
 * @param applications - a function of that folder that gives `apps`.
 * @param pages - what `content` holds, by name.
 * @param settings - more of the section `configuration`.
 */
export async function launching(applications, pages = {}, settings = {}) {
  if (!PYTHON) throw new Error("WSLINK_PYTHON must name a Python that has the project; scripts/test sets it");
  const folder = await mkdtemp(join(tmpdir(), "wslink-launcher-"));
  await mkdir(join(folder, "www"));
  const files = { token: TOKEN, "engine.py": ENGINE, ...Object.fromEntries(Object.entries(pages).map(([name, text]) => [`www/${name}`, text])) };
  const first = 24_000 + 20 * Math.floor(Math.random() * 300);
  files["launcher.json"] = JSON.stringify({
    configuration: {
      host: "127.0.0.1", port: 0, endpoint: "lab/viewers", content: join(folder, "www"), proxy_file: "", log_dir: join(folder, "log"), fields: [],
      sessionURL: "ws://USE_HOST/lab/viewers/session/${id}/${token}/ws", timeout: 60, stop_grace: 0.3, admin_token_file: join(folder, "token"), ...settings,
    },
    resources: [{ host: "127.0.0.1", port_range: [first, first + 9] }],
    properties: {},
    apps: applications(folder),
  });
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const launcher = spawn(...tied(PYTHON, ["-m", "wslink.launcher", join(folder, "launcher.json")]), {
    env: { ...process.env, PYTHONPATH: join(ROOT, "src") },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  launcher.stderr.setEncoding("utf8").on("data", (text) => (log += text));
  const ended = once(launcher, "close");
  const url = await new Promise((resolve, reject) => {
    createInterface(launcher.stdout).on("line", (line) => {
      const found = /listening on (\S+)/.exec(line);
      if (found) resolve(`http://${found[1]}/`);
    });
    ended.then(([code]) => reject(new Error(`the launcher ended with ${code}:\n${log}`)));
  });
  const stop = async () => {
    launcher.kill("SIGTERM"); // this process alone, by its id
    await ended;
    await rm(folder, { recursive: true });
    return { code: launcher.exitCode, log };
  };
  return { url, endpoint: `${url}lab/viewers/`, stop };
}

/** What the launcher tells its administrator. */
export async function overview({ endpoint }) {
  const response = await fetch(endpoint, { headers: { Authorization: `Bearer ${TOKEN}` } });
  return response.json();
}

/** Waits until `check()` is truthy, and returns that. */
export async function until(check, what) {
  const end = Date.now() + 60_000; // a busy machine is no failure
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) throw new Error(`in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
