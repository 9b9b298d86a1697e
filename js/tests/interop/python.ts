// Starts a Python server beside a test.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** The servers, and the environment variable that names a Python which has what each needs. */
const PYTHONS = {
  /** The released wslink 2.6.0. */
  released: "WSLINK_PEER_PYTHON",
  /** What the server of this project depends on, and NumPy. */
  ours: "WSLINK_PYTHON",
  /** The same, with OpenTelemetry. */
  traced: "WSLINK_PYTHON",
} as const;

export type ServerName = keyof typeof PYTHONS;

export class PythonServer {
  private constructor(
    readonly url: string,
    readonly process: ChildProcess,
  ) {}

  static async start(name: ServerName, ...options: string[]): Promise<PythonServer> {
    const python = process.env[PYTHONS[name]];
    if (!python) throw new Error(`${PYTHONS[name]} must name a Python: see README.md`);
    const child = spawn(python, [fileURLToPath(new URL(`${name}.py`, import.meta.url)), ...options], {
      env: { ...process.env, ...(name !== "released" && { PYTHONPATH: fileURLToPath(new URL("../../../src", import.meta.url)) }) },
      stdio: ["ignore", "pipe", "inherit"],
    });
    for await (const line of createInterface(child.stdout)) {
      const [, port] = /^port (\d+)$/.exec(line) ?? [];
      if (port) return new PythonServer(`ws://127.0.0.1:${port}/ws`, child);
    }
    throw new Error(`the server "${name}" did not start`);
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.kill("SIGKILL");
    await gone;
  }
}
