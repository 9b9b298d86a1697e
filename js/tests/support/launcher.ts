// A launcher: what XMLHttpRequest sends is kept, and answered by what a test has prepared.

export interface LauncherRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: unknown;
}

type Answer = readonly [status: number, response: unknown] | "unreachable";

export class Launcher {
  readonly requests: LauncherRequest[] = [];
  readonly #answers: Answer[];

  /** Answers requests one after another; every request after that is answered with 404. */
  constructor(...answers: Answer[]) {
    this.#answers = answers;
    const answer = (request: LauncherRequest): Answer => {
      this.requests.push(request);
      return this.#answers.shift() ?? [404, null];
    };
    Object.assign(globalThis, {
      XMLHttpRequest: class extends FakeRequest {
        protected readonly answer = answer;
      },
    });
  }
}

abstract class FakeRequest {
  status = 0;
  response: unknown = null;
  responseType = "";
  onload: (() => void) | undefined;
  onerror: (() => void) | undefined;
  protected abstract readonly answer: (request: LauncherRequest) => Answer;
  readonly #headers: Record<string, string> = {};
  #method = "";
  #url = "";

  open(method: string, url: string): void {
    this.#method = method;
    this.#url = url;
  }

  setRequestHeader(name: string, value: string): void {
    this.#headers[name] = value;
  }

  send(body?: string | null): void {
    const parsed: unknown = body ? JSON.parse(body) : undefined;
    const answer = this.answer({ method: this.#method, url: this.#url, headers: this.#headers, body: parsed });
    setTimeout(() => {
      if (answer === "unreachable") return this.onerror?.();
      [this.status, this.response] = answer;
      this.onload?.();
    });
  }
}
