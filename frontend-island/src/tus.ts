// The transport over tus: what the server keeps, matched with what the person chooses again.
import { defaultOptions } from "tus-js-client";
import { SignedOut, type Credentials } from "./credentials";
import type { Options } from "./machine";
import { TusSending } from "./sending";
import type { Hear, Sending, Transport, Unfinished } from "./transport";

export class TusTransport implements Transport {
  #listed: Promise<Unfinished[]> | null = null;

  constructor(
    private readonly endpoint: string,
    private readonly credentials: Credentials,
  ) {}

  send(file: File, options: Options, hear: Hear): Sending {
    const chosen = Object.entries(options).filter(([, value]) => value !== "") as [string, string][];
    const metadata = { filename: file.name, modified: String(file.lastModified), ...Object.fromEntries(chosen) };
    const job = {
      file,
      metadata,
      endpoint: this.endpoint,
      credentials: this.credentials,
      search: (wanted: File) => this.#search(wanted),
      known: (url: string) => this.#take(url),
    };
    return new TusSending(job, hear, (url) => this.discard(url));
  }

  unfinished(): Promise<Unfinished[]> {
    this.#listed = this.#list().catch((error: unknown) => {
      this.#listed = null; // asked again at the next file
      throw error;
    });
    return this.#listed;
  }

  async discard(url: string): Promise<void> {
    this.#take(url);
    for (const kept of await storage.findAllUploads())
      if (kept.uploadUrl === url || pathOf(kept.uploadUrl) === pathOf(url)) await storage.removeUpload(kept.urlStorageKey);
    const answer = await this.#ask("DELETE", url);
    if (!answer.ok && ![404, 410].includes(answer.status)) throw new Error(`not removed: ${answer.status}`);
  }

  async #list(): Promise<Unfinished[]> {
    const answer = await this.#ask("GET", this.endpoint);
    if (!answer.ok) throw new Error(`no list: ${answer.status}`);
    return (await answer.json()) as Unfinished[];
  }

  /**
   * By name and size, for a browser that forgot (signed out) or never knew. An upload that names another time of change,
   * here or with the server, is of an older version of the file: going on with it would mix the two.
   */
  async #search(file: File): Promise<string | null> {
    const listed = await (this.#listed ?? this.unfinished());
    const others = new Set((await storage.findAllUploads()).map((kept) => pathOf(kept.uploadUrl)));
    const found = listed.find(
      (one) => one.title === titleOf(file) && one.length === file.size && !others.has(pathOf(one.url)),
    );
    return found && (await this.#isSame(found, file)) ? found.url : null;
  }

  async #isSame(found: Unfinished, file: File): Promise<boolean> {
    const answer = await this.#ask("HEAD", found.url);
    const modified = /(?:^|,)\s*modified ([\w+/=]+)/.exec(answer.headers.get("Upload-Metadata") ?? "")?.[1];
    return answer.ok && (modified === undefined || atob(modified) === String(file.lastModified));
  }

  /** Nobody else goes on with this one. */
  #take(url: string): void {
    this.#listed = this.#listed?.then((listed) => listed.filter((one) => pathOf(one.url) !== pathOf(url))) ?? null;
  }

  async #ask(method: string, url: string): Promise<Response> {
    const answer = await this.#once(method, url, await this.credentials.token());
    if (answer.status !== 401) return answer;
    const again = await this.#once(method, url, await this.credentials.renew());
    if (again.status === 401) throw new SignedOut();
    return again;
  }

  #once(method: string, url: string, token: string): Promise<Response> {
    const headers = { "Tus-Resumable": "1.0.0", Accept: "application/json", Authorization: `Bearer ${token}` };
    return fetch(url, { method, headers });
  }
}

const storage = defaultOptions.urlStorage;

function pathOf(url: string | null): string {
  return url ? new URL(url, location.href).pathname : "";
}

/** What the server makes of a file's name, for all names but odd ones; those are sent anew. */
function titleOf(file: File): string {
  return [...file.name.normalize("NFC").trim()].slice(0, 255).join("");
}
