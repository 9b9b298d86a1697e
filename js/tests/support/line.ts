// A line between a client and a server that can be cut, or fall silent.
import { once } from "node:events";
import { type AddressInfo, type Socket, connect, createServer } from "node:net";

export class Line {
  readonly #server = createServer((socket) => this.#join(socket));
  readonly #sockets = new Set<Socket>();
  readonly #target: URL;
  /** How many connections were made. */
  connections = 0;

  private constructor(target: string, port: number) {
    this.#target = new URL(target);
    this.#server.listen(port, "127.0.0.1");
  }

  static async to(target: string, port = 0): Promise<Line> {
    const line = new Line(target, port);
    await once(line.#server, "listening");
    return line;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}/ws`;
  }

  /** Ends every connection without a word. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Nothing passes any more over the connections there are; neither side is told. */
  fallSilent(): void {
    for (const socket of this.#sockets) socket.pause().unpipe();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(near: Socket): void {
    this.connections += 1;
    const far = connect(Number(this.#target.port), this.#target.hostname);
    for (const [from, to] of [[near, far], [far, near]] as const) {
      this.#sockets.add(from);
      from.setNoDelay(true);
      from.on("error", () => undefined);
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }
}
