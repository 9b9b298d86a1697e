// Drives Debian's Firefox ESR, which Playwright does not, by Marionette, its own protocol: JSON, with its length before it.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";

const FIREFOX = process.env.FIREFOX ?? "/usr/bin/firefox-esr";
const PATIENCE = 60_000; // milliseconds
const PREFERENCES = {
  "marionette.port": 0, // a free one, which it writes down
  "network.disable-localhost-when-offline": true, // the server of a test is on this machine
  "network.manage-offline-status": false,
  "app.normandy.enabled": false,
  "services.settings.server": "data:,#remote-settings-dummy/v1", // no settings from elsewhere
};

export const isInstalled = existsSync(FIREFOX);

/** Starts Firefox, with one tab and a profile of its own. */
export async function launch() {
  const profile = await mkdtemp(join(tmpdir(), "wslink-firefox-"));
  const preferences = Object.entries(PREFERENCES).map(([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});\n`);
  await writeFile(join(profile, "user.js"), preferences.join(""));
  const flags = ["--headless", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile", profile];
  const firefox = spawn(FIREFOX, flags, { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  firefox.stderr.setEncoding("utf8").on("data", (text) => (log += text));
  const ended = once(firefox, "exit");
  const close = async () => {
    firefox.kill("SIGTERM"); // this process alone, by its id
    await ended;
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const port = await portOf(profile, () => firefox.exitCode !== null);
    const marionette = new Marionette(connect(Number(port), "127.0.0.1"));
    await marionette.send("WebDriver:NewSession", {});
    return new Tab(marionette, close);
  } catch (error) {
    await close();
    throw new Error(`Firefox does not start: ${log}`, { cause: error });
  }
}

async function portOf(profile, hasEnded) {
  for (const end = Date.now() + PATIENCE; Date.now() < end && !hasEnded(); ) {
    const port = await readFile(join(profile, "MarionetteActivePort"), "utf8").catch(() => "");
    if (port) return port;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("it names no port");
}

/** A tab, with some of the methods of Playwright's Page. */
class Tab {
  #marionette;

  constructor(marionette, close) {
    this.#marionette = marionette;
    this.close = close;
  }

  async goto(url) {
    await this.#marionette.send("WebDriver:Navigate", { url });
  }

  /** What `run(argument)` returns or resolves to in the page. */
  evaluate(run, argument) {
    return this.#execute(`return (${run})(arguments[0])`, [argument ?? null]);
  }

  async waitForFunction(run) {
    for (const end = Date.now() + PATIENCE; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 20))) {
      if (await this.evaluate(run)) return;
    }
    throw new Error(`in vain: ${run}`);
  }

  /** Switches the browser's network off or on, as "Work Offline" of its menu does. */
  async setOffline(offline) {
    await this.#marionette.send("Marionette:SetContext", { value: "chrome" });
    await this.#execute("Services.io.offline = arguments[0]", [offline]);
    await this.#marionette.send("Marionette:SetContext", { value: "content" });
  }

  async #execute(script, args) {
    return (await this.#marionette.send("WebDriver:ExecuteScript", { script, args })).value;
  }
}

/** Commands `[0, id, name, parameters]` and their responses `[1, id, error, result]`. */
class Marionette {
  #socket;
  #received = Buffer.alloc(0);
  #waiting = new Map();
  #sent = 0;

  constructor(socket) {
    this.#socket = socket;
    socket.on("data", (data) => this.#take(data));
    socket.on("error", () => undefined); // the next event is the end
    socket.on("close", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("Firefox has gone"));
    });
  }

  send(name, parameters) {
    const text = JSON.stringify([0, ++this.#sent, name, parameters]);
    this.#socket.write(`${Buffer.byteLength(text)}:${text}`);
    return new Promise((resolve, reject) => this.#waiting.set(this.#sent, { resolve, reject }));
  }

  #take(data) {
    this.#received = Buffer.concat([this.#received, data]);
    for (let colon; (colon = this.#received.indexOf(":")) > 0; ) {
      const end = colon + 1 + Number(this.#received.subarray(0, colon));
      if (this.#received.length < end) return;
      const message = JSON.parse(this.#received.subarray(colon + 1, end));
      this.#received = this.#received.subarray(end);
      if (!Array.isArray(message)) continue; // its greeting
      const [, id, error, result] = message;
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) reject(new Error(`${error.error}: ${error.message}`));
      else resolve(result);
    }
  }
}
