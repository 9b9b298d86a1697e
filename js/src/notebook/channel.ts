import type { Message, Parcel } from "./messages.js";

/** A file of the page's. */
export interface File {
  readonly status: number;
  readonly type: string;
  readonly body: ArrayBuffer;
}

/** The frame's end of the way to the kernel: files on request, and messages of connections. */
export class Channel {
  readonly #files = new Map<number, (file: File) => void>();
  readonly #connections = new Map<number, (content: Message, buffers: ArrayBuffer[]) => void>();
  #requests = 0;
  #opened = 0;
  #gone = false;

  constructor(readonly port: Pick<MessagePort, "postMessage" | "onmessage">) {
    port.onmessage = ({ data: { content, buffers } }: MessageEvent<Parcel>) => this.#take(content, buffers);
  }

  /** Asks for a file by its path below the page's directory. */
  read(path: string): Promise<File> {
    const request = ++this.#requests;
    return new Promise((resolve) => {
      this.#files.set(request, resolve);
      this.send({ kind: "get", request, path });
      if (this.#gone) this.#take({ kind: "file", request, status: 503, type: "text/plain" }, []);
    });
  }

  /** A new connection, whose messages go to `take`; the last is of the kind `close`. Returns its number. */
  open(take: (content: Message, buffers: ArrayBuffer[]) => void): number {
    const connection = ++this.#opened;
    this.#connections.set(connection, take);
    this.send({ kind: "open", connection });
    if (this.#gone) setTimeout(() => this.#take(ended(connection), []));
    return connection;
  }

  forget(connection: number): void {
    this.#connections.delete(connection);
  }

  send(content: Message, buffers: ArrayBuffer[] = []): void {
    this.port.postMessage({ content, buffers } satisfies Parcel, buffers);
  }

  #take(content: Message, buffers: ArrayBuffer[]): void {
    const { kind, request = 0, connection = 0, status = 0, type = "" } = content;
    if (kind === "file") {
      this.#files.get(request)?.({ status, type, body: buffers[0] ?? new ArrayBuffer(0) });
      this.#files.delete(request);
    } else if (kind === "gone") {
      this.#gone = true;
      for (const number of [...this.#connections.keys()]) this.#take(ended(number), []);
      for (const number of [...this.#files.keys()]) this.#take({ kind: "file", request: number, status: 503, type: "text/plain" }, []);
    } else {
      this.#connections.get(connection)?.(content, buffers);
    }
  }
}

const ended = (connection: number): Message => ({ kind: "close", connection, code: 1006, reason: "the kernel has ended" });
