// One upload that goes on until the server has the recording or refuses it: lost connections are retried without end.
import { DetailedError, Upload as TusUpload, type HttpResponse } from "tus-js-client";
import { SignedOut, type Credentials } from "./credentials";
import type { Hear, Refusal, Sending } from "./transport";
import { Requests } from "./requests";

/**
 * Bytes of one PATCH. The server keeps what a cut PATCH delivered, so its size costs nothing when the line breaks, and
 * one for the whole file would do. Bounded all the same: each new request checks the token (a sign-out holds within one
 * piece), proxies refuse bodies above some 100 MB or store each on disk before they pass it on, and a proxy that stores
 * loses what it has not passed on. At 32 MiB a recording of 1 GiB takes 32 round trips, which nobody notices.
 */
export const CHUNK_BYTES = 32 << 20;
const DELAYS_SECONDS = [0.5, 1, 2, 4, 8, 15, 30]; // the last one again and again
export const SILENCE_SECONDS = 75; // longer than the server's own limit: then the connection is dead

export interface Job {
  file: File;
  endpoint: string;
  metadata: Record<string, string>;
  credentials: Credentials;
  /** Address of what the server has of this file from another browser or before a sign-out; null: nothing. */
  search(file: File): Promise<string | null>;
  /** The address on the server, as soon as it is known. */
  known(url: string): void;
}

export class TusSending implements Sending {
  #requests: Requests | null = null;
  #url: string | null = null;
  #stopped = false;
  #failures = 0;
  #wake: () => void = () => {};
  #watch: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly job: Job,
    private readonly hear: Hear,
    private readonly discard: (url: string) => Promise<void>,
  ) {
    void this.#attempt();
  }

  pause(): void {
    this.#stopped = true;
    this.#hang();
    this.#wake();
  }

  async cancel(): Promise<void> {
    this.pause();
    if (this.#url) await this.discard(this.#url);
  }

  #hang(): void {
    clearTimeout(this.#watch);
    this.#requests?.close();
  }

  async #attempt(): Promise<void> {
    const requests = new Requests(this.job.credentials);
    this.#requests = requests;
    const current = (act: () => void) => () => {
      if (!this.#stopped && this.#requests === requests) act();
    };
    this.#listenForSilence();
    try {
      await look(this.job.file);
      const upload = await this.#prepare(requests, current);
      current(() => upload.start())();
    } catch (error) {
      current(() => this.#failed(error))();
    }
  }

  async #prepare(requests: Requests, current: (act: () => void) => () => void): Promise<TusUpload> {
    const upload = new TusUpload(this.job.file, {
      endpoint: this.job.endpoint,
      metadata: this.job.metadata,
      chunkSize: CHUNK_BYTES,
      retryDelays: null, // its retries end; ours do not
      removeFingerprintOnSuccess: true,
      httpStack: requests,
      onUploadUrlAvailable: current(() => this.#found(upload.url)),
      onProgress: (sent) => current(() => this.#progress(sent))(),
      onSuccess: ({ lastResponse }) => current(() => this.#done(lastResponse))(),
      onError: (error) => current(() => this.#failed(error))(),
    });
    const [previous] = (await upload.findPreviousUploads()).filter((one) => one.uploadUrl).slice(-1);
    if (previous) upload.resumeFromPreviousUpload(previous);
    else upload.options.uploadUrl = this.#url ?? (await this.job.search(this.job.file));
    return upload;
  }

  #found(url: string | null): void {
    this.#url = url;
    if (url) this.job.known(url);
  }

  #progress(sent: number): void {
    this.#failures = 0;
    this.#listenForSilence();
    this.hear.progress(sent);
  }

  #done(response: HttpResponse): void {
    this.#stopped = true;
    clearTimeout(this.#watch);
    const url = response.getHeader("X-Job") ?? "";
    this.hear.done(url.startsWith("/") ? url : "/");
  }

  #failed(error: unknown): void {
    this.#hang();
    this.#requests = null; // whatever this attempt says from here on is late
    const refusal = refusalOf(error);
    if (refusal) {
      this.#stopped = true;
      this.hear.refused(refusal);
    } else {
      this.hear.lost();
      void this.#goOn();
    }
  }

  async #goOn(): Promise<void> {
    const delay = DELAYS_SECONDS[Math.min(this.#failures++, DELAYS_SECONDS.length - 1)] ?? 0;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delay * 1000 * (0.8 + 0.4 * Math.random())); // not all at once after a restart
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      addEventListener("online", this.#wake, { once: true });
    });
    removeEventListener("online", this.#wake);
    if (!this.#stopped) void this.#attempt();
  }

  /** A half-open connection says nothing at all, and no browser gives it up by itself. */
  #listenForSilence(): void {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#failed(new Error("silence")), SILENCE_SECONDS * 1000);
  }
}

/** The file is no longer what it was when it was chosen: the browser cannot read it, and would say "network". */
class FileGone extends Error {}

async function look(file: File): Promise<void> {
  await file.slice(0, 1).arrayBuffer().catch(() => {
    throw new FileGone();
  });
}

/** Why it will not go through; null for what is worth another try. */
function refusalOf(error: unknown): Refusal | null {
  const cause = error instanceof DetailedError ? (error.causingError ?? error) : error;
  if (cause instanceof SignedOut) return { code: "signed_out", detail: "" };
  if (cause instanceof FileGone) return { code: "file_gone", detail: "" };
  const answer = error instanceof DetailedError ? error.originalResponse : null;
  return answer ? read(answer.getBody()) : null;
}

function read(body: string): Refusal {
  try {
    const { code, detail } = JSON.parse(body) as Partial<Refusal>;
    return { code: code ?? "refused", detail: detail ?? "" };
  } catch {
    return { code: "refused", detail: "" }; // a proxy's page, for instance
  }
}
