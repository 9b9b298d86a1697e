import type { Channel, File } from "./channel.js";
import { ORIGIN, ownPath } from "./messages.js";
import { rewrite } from "./modules.js";

/** The attributes that name files which a page loads by itself, and the elements that have them. */
const SOURCES: readonly (readonly [selector: string, attribute: string])[] = [
  ["img, source, video, audio, track, embed, input[type=image], script:not([type=module])", "src"],
  ["link[rel~=icon], image, use", "href"],
  ["video", "poster"],
  ["object", "data"],
];
const IN_CSS = /url\(\s*(?:"([^"]*)"|'([^']*)'|([^)"'\s]+))\s*\)|@import\s+(?:"([^"]*)"|'([^']*)')/g;

/** The files of a page, as URLs that a browser can load: blobs, made of what comes through the channel. */
export class Files {
  readonly #urls = new Map<string, Promise<string | undefined>>();

  constructor(readonly channel: Pick<Channel, "read">) {}

  /** What stands for `url`; undefined where it is none of the page's own, or there is no such file. */
  async blob(url: string): Promise<string | undefined> {
    const path = ownPath(url);
    if (path === undefined) return undefined;
    let made = this.#urls.get(path);
    if (made === undefined) this.#urls.set(path, (made = this.#make(path, url)));
    return made;
  }

  async #make(path: string, url: string): Promise<string | undefined> {
    const file = await this.channel.read(path);
    if (file.status !== 200) return undefined;
    return file.type === "text/css" ? this.style(textOf(file), url) : urlOf(file.body, file.type);
  }

  /** A style sheet at `url`, with blobs in place of the files that it names. */
  async style(css: string, url: string): Promise<string> {
    return urlOf(await this.inlined(css, url), "text/css");
  }

  async inlined(css: string, url: string): Promise<string> {
    let [result, from] = ["", 0];
    for (const match of css.matchAll(IN_CSS)) {
      const name = match.slice(1).find(Boolean) ?? "";
      const blob = /^(data|blob):|^#/.test(name) ? undefined : await this.blob(new URL(name, url).href);
      if (blob === undefined) continue;
      result += css.slice(from, match.index) + (match[0].startsWith("@") ? `@import "${blob}"` : `url("${blob}")`);
      from = match.index + match[0].length;
    }
    return result + css.slice(from);
  }
}

export const textOf = ({ body }: File): string => new TextDecoder().decode(body);
const urlOf = (content: BlobPart, type: string): string => URL.createObjectURL(new Blob([content], { type }));

/** A page that is about to be shown: its document, and the modules that its scripts load. */
export class Page {
  readonly document: Document;
  readonly base: string;
  readonly #names = new Map<string, string>();
  /** The modules by their URLs, and what stands for them; "" until that is known. */
  readonly #modules = new Map<string, string>();

  constructor(
    readonly files: Files,
    html: string,
  ) {
    this.document = new DOMParser().parseFromString(html, "text/html");
    const given = this.document.querySelector("base[href]");
    this.base = new URL(given?.getAttribute("href") ?? ".", `${ORIGIN}/`).href;
    given?.remove();
  }

  /** The page as text, with blobs in place of its files. */
  async complete(): Promise<string> {
    this.#takeImportMap();
    await Promise.all([this.#scripts(), this.#styles(), replaceSources(this.document, this.files, this.base)]);
    const { head } = this.document;
    const imports = Object.fromEntries([...this.#modules].filter(([, blob]) => blob));
    head.prepend(this.#element("base", { href: this.base }), this.#element("script", { type: "importmap" }, JSON.stringify({ imports })));
    return `<!doctype html>\n${this.document.documentElement.outerHTML}`;
  }

  #element(name: string, attributes: Record<string, string>, text = ""): Element {
    const element = this.document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.textContent = text;
    return element;
  }

  #takeImportMap(): void {
    for (const script of this.document.querySelectorAll("script[type=importmap]")) {
      const { imports = {} } = JSON.parse(script.textContent || "{}") as { imports?: Record<string, string> };
      for (const [name, target] of Object.entries(imports)) {
        const url = new URL(target, this.base).href;
        this.#names.set(name, url);
        if (ownPath(url) === undefined) this.#modules.set(name, url); // the browser's own business, as before
      }
      script.remove();
    }
  }

  async #scripts(): Promise<void> {
    for (const link of this.document.querySelectorAll("link[rel=modulepreload], link[rel=preload]")) link.remove();
    await Promise.all(
      Array.from(this.document.querySelectorAll("script[type=module]"), async (script, index) => {
        const src = script.getAttribute("src");
        if (src === null) {
          script.textContent = await this.#module(script.textContent, `${this.base}#${index}`);
          return;
        }
        const url = new URL(src, this.base).href;
        await this.#load(url);
        script.setAttribute("src", this.#modules.get(url) ?? url);
        script.removeAttribute("integrity");
      }),
    );
  }

  /** Loads the module at `url` with all that it imports, unless that is under way. */
  async #load(url: string): Promise<void> {
    const path = ownPath(url);
    if (path === undefined || this.#modules.has(url)) return;
    this.#modules.set(url, "");
    const file = await this.files.channel.read(path);
    if (file.status === 200) this.#modules.set(url, urlOf(await this.#module(textOf(file), url), "text/javascript"));
  }

  async #module(text: string, url: string): Promise<string> {
    const { source, imports } = rewrite(text, url, this.#names);
    await Promise.all(imports.map((each) => this.#load(each)));
    return source;
  }

  async #styles(): Promise<void> {
    const links = Array.from(this.document.querySelectorAll("link[rel~=stylesheet][href]"), async (link) => {
      const blob = await this.files.blob(new URL(link.getAttribute("href") ?? "", this.base).href);
      if (blob !== undefined) link.setAttribute("href", blob);
      link.removeAttribute("integrity");
    });
    const styles = Array.from(this.document.querySelectorAll("style"), async (style) => {
      style.textContent = await this.files.inlined(style.textContent, this.base);
    });
    await Promise.all([...links, ...styles]);
  }
}

/** Puts blobs in the place of the page's files that elements at and below `root` name. */
export async function replaceSources(root: ParentNode & Node, files: Files, base: string): Promise<void> {
  const replaced: Promise<void>[] = [];
  for (const [selector, attribute] of SOURCES) {
    for (const element of found(root, selector)) {
      const value = element.getAttribute(attribute);
      if (!value || /^(blob|data|#)/.test(value)) continue;
      const blob = files.blob(new URL(value, base).href);
      replaced.push(
        blob.then((made) => {
          if (made !== undefined) element.setAttribute(attribute, made);
        }),
      );
    }
  }
  await Promise.all(replaced);
}

function found(root: ParentNode & Node, selector: string): Element[] {
  const below = Array.from(root.querySelectorAll(selector));
  return root instanceof Element && root.matches(selector) ? [root, ...below] : below;
}
