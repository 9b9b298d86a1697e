import { CongestionController } from "./congestion.js";

/** Decides when a chunk may be sent to a server that acknowledges (FLOW-4). */
export class Pace {
  readonly #line = new CongestionController(seconds());
  #waiting: (() => void)[] = [];
  #ended = false;

  get chunkSize(): number {
    return this.#line.chunkSize;
  }

  /** Whether less is in flight than allowed. */
  get open(): boolean {
    return this.#line.inFlight < this.#line.window;
  }

  sent(size: number): void {
    this.#line.sent(seconds(), size);
  }

  acknowledged(total: number, held: number): void {
    this.#line.acknowledged(seconds(), total, held / 1000);
    this.#wake();
  }

  idle(): void {
    this.#line.idle();
  }

  /**
   * Resolves when a chunk may be sent, or sending has stopped. With nothing in flight there is no queue on the line, however slow a busy moment
   * has made it look, so a chunk is sent at once.
   */
  async turn(): Promise<void> {
    for (let delay; !this.#ended && this.#line.inFlight > 0 && (delay = this.#line.delay(seconds())) > 0; ) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        if (delay < Infinity) setTimeout(resolve, delay * 1000);
      });
    }
  }

  /** The connection has ended: release everything that waits for it. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Wakes up everything that waits, to check again. */
  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }
}

function seconds(): number {
  return performance.now() / 1000;
}
