/** Milliseconds without a message of the kernel's after which it is asked for a sign of life, and within which it gives one. */
const QUIET = 8000;
const ANSWER = 5000;

/** Notices a kernel that gives no sign of life: one that runs a long cell, or that has died, which a notebook does not always tell its widgets. */
export class Watch {
  #last = 0;
  #asked = false;
  #silent = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param ask - asks the kernel for a sign of life.
   * @param tell - is told when the kernel has fallen silent, and when it is heard again.
   */
  constructor(
    readonly ask: () => void,
    readonly tell: (silent: boolean) => void,
  ) {}

  /** Something was just asked of the kernel. */
  start(): void {
    clearTimeout(this.#timer); // and it stays silent until it is heard
    this.#last = performance.now();
    this.#asked = true;
    this.#wait(ANSWER);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#silent = false;
  }

  heard(): void {
    this.#last = performance.now();
    this.#asked = false;
    if (!this.#silent) return;
    this.#silent = false;
    this.tell(false);
  }

  #wait(time: number): void {
    this.#timer = setTimeout(() => this.#look(), time);
  }

  #look(): void {
    const quiet = performance.now() - this.#last;
    if (!this.#asked && quiet < QUIET) {
      this.#wait(QUIET - quiet);
      return;
    }
    const silent = this.#asked;
    this.#asked = true;
    this.#wait(silent ? QUIET : ANSWER);
    if (silent && !this.#silent) {
      this.#silent = true;
      this.tell(true);
    }
    this.ask(); // may find that there is no kernel any more
  }
}
