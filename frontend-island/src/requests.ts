// Requests of tus-js-client with our token, and answers it must not misread.
import { DefaultHttpStack, type HttpRequest, type HttpResponse, type HttpStack } from "tus-js-client";
import { SignedOut, type Credentials } from "./credentials";

const FULL = 507;

/** The request or its answer did not make it; worth another try. */
export class Lost extends Error {}

/**
 * Opens XMLHttpRequests. `close` stops what is on its way and whatever would come after: an upload of tus-js-client
 * that is stopped while it prepares its next request would send it all the same.
 */
export class Requests implements HttpStack {
  #closed = false;
  #current: HttpRequest | null = null;
  readonly #inner = new DefaultHttpStack({});

  constructor(private readonly credentials: Credentials) {}

  getName(): string {
    return "Requests";
  }

  createRequest(method: string, url: string): HttpRequest {
    return new Request(method, url, (again) => this.#open(method, url, again), this.credentials);
  }

  close(): void {
    this.#closed = true;
    void this.#current?.abort();
  }

  #open(method: string, url: string, headers: ReadonlyMap<string, string>): HttpRequest {
    if (this.#closed) throw new Lost("stopped");
    const request = this.#inner.createRequest(method, url);
    for (const [name, value] of headers) request.setHeader(name, value);
    this.#current = request;
    return request;
  }
}

class Request implements HttpRequest {
  readonly #headers = new Map<string, string>();
  #progress: (sent: number) => void = () => {};
  #inner: HttpRequest | null = null;

  constructor(
    private readonly method: string,
    private readonly url: string,
    private readonly open: (headers: ReadonlyMap<string, string>) => HttpRequest,
    private readonly credentials: Credentials,
  ) {}

  getMethod(): string {
    return this.method;
  }

  getURL(): string {
    return this.url;
  }

  setHeader(name: string, value: string): void {
    this.#headers.set(name, value);
  }

  getHeader(name: string): string | undefined {
    return this.#headers.get(name);
  }

  setProgressHandler(handler: (sent: number) => void): void {
    this.#progress = handler;
  }

  getUnderlyingObject(): unknown {
    return this.#inner?.getUnderlyingObject();
  }

  async abort(): Promise<void> {
    await this.#inner?.abort();
  }

  /**
   * With a token; one that is refused is renewed once. tus-js-client takes any failing HEAD for "gone", forgets the
   * upload and begins anew: a sign-out or a proxy whose server restarts must not look like that.
   */
  async send(body: unknown): Promise<HttpResponse> {
    let answer = await this.#try(await this.credentials.token(), body);
    if (answer.getStatus() === 401) answer = await this.#try(await this.credentials.renew(), body);
    if (answer.getStatus() === 401) throw new SignedOut();
    if (isPassing(answer.getStatus())) throw new Lost(`status ${answer.getStatus()}`);
    return answer;
  }

  #try(token: string, body: unknown): Promise<HttpResponse> {
    this.#headers.set("Authorization", `Bearer ${token}`);
    this.#inner = this.open(this.#headers);
    this.#inner.setProgressHandler(this.#progress);
    return this.#inner.send(body);
  }
}

/** Whether a refusal says something about the moment, not about the upload. */
export function isPassing(status: number): boolean {
  return [0, 408, 409, 423, 425, 429].includes(status) || (status >= 500 && status !== FULL);
}
