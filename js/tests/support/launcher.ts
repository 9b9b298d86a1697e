// A launcher: what XMLHttpRequest sends is kept, and answered by what a test has prepared.

export interface LauncherRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: unknown;
}

/** What a request is answered with; `events` are pieces of a stream of server-sent events. */
type Answer = readonly [status: number, response: unknown] | { readonly events: readonly string[] } | "unreachable";

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
  responseText = "";
  responseType = "";
  onprogress: (() => void) | undefined;
  onload: (() => void) | undefined;
  onerror: (() => void) | undefined;
  protected abstract readonly answer: (request: LauncherRequest) => Answer;
  readonly #headers: Record<string, string> = {};
  #method = "";
  #url = "";
  #type = "application/json";

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
      if ("events" in answer) this.#stream(answer.events);
      else [this.status, this.response, this.responseText] = [...answer, JSON.stringify(answer[1])];
      this.onload?.();
    });
  }

  getResponseHeader(): string {
    return this.#type;
  }

  #stream(pieces: readonly string[]): void {
    [this.status, this.#type] = [200, "text/event-stream"];
    for (const piece of pieces) {
      this.response = this.responseText += piece;
      this.onprogress?.();
    }
  }
}
