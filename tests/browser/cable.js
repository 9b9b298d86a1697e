// A cable between a browser and a server of this machine, which can be pulled out.

import { once } from "node:events";
import { connect, createServer } from "node:net";

export class Cable {
  /** Where it leads to its server. */
  url;
  #out = false;
  #near = new Set();
  #far = new Set();
  #server;

  /** A cable to the server of that URL. */
  static async to(url) {
    const cable = new Cable();
    const { hostname, port } = new URL(url);
    cable.#server = createServer((near) => cable.#lay(near, connect(Number(port), hostname))).listen(0, "127.0.0.1");
    await once(cable.#server, "listening");
    cable.url = `http://127.0.0.1:${cable.#server.address().port}`;
    return cable;
  }

  /** The browser's end of each connection is gone, and its server hears nothing of that; new ones are refused. */
  pull() {
    this.#out = true;
    for (const far of this.#far) far.unpipe();
    for (const near of this.#near) {
      near.unpipe();
      near.resetAndDestroy();
    }
  }

  plug() {
    this.#out = false;
  }

  close() {
    this.#server.close();
    for (const socket of [...this.#near, ...this.#far]) socket.destroy();
  }

  #lay(near, far) {
    for (const [ends, socket] of [[this.#near, near], [this.#far, far]]) {
      ends.add(socket);
      socket.on("error", () => undefined); // its end follows
      socket.on("close", () => ends.delete(socket));
    }
    if (this.#out) {
      near.destroy();
      far.destroy();
      return;
    }
    near.pipe(far).pipe(near);
  }
}
