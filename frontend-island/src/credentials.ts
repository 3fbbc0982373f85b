// Who we are towards the upload door: a token that lives for minutes, fetched with the session and kept in localStorage.

const KEY = "upload-token";
const EARLY_MILLISECONDS = 60_000; // renewed so long before it ends, so that none ends on its way

interface Kept {
  owner: string;
  token: string;
  expires_at: string;
}

/** The session is over: only signing in again helps. */
export class SignedOut extends Error {}

export class Credentials {
  #renewal: Promise<string> | null = null;

  /** `url` hands out tokens; `owner` is the person this page was made for: another's token is never used. */
  constructor(
    private readonly url: string,
    private readonly owner: string,
    private readonly now: () => number = Date.now,
  ) {}

  /** A token good for a minute at least. Throws SignedOut, and TypeError while there is no network. */
  async token(): Promise<string> {
    const kept = this.#kept();
    return kept && Date.parse(kept.expires_at) - this.now() > EARLY_MILLISECONDS ? kept.token : this.renew();
  }

  /** A fresh token; many may ask at once and one request is made. */
  renew(): Promise<string> {
    this.#renewal ??= this.#fetch().finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  async #fetch(): Promise<string> {
    const headers = { "X-CSRFToken": csrf(), Accept: "application/json" };
    const answer = await fetch(this.url, { method: "POST", headers, redirect: "manual" });
    if (answer.status === 401 || answer.status === 403 || answer.type === "opaqueredirect") {
      localStorage.removeItem(KEY);
      throw new SignedOut();
    }
    if (!answer.ok) throw new TypeError(`No token: ${answer.status}`); // a server that is down: asked again later
    const { token, expires_at } = (await answer.json()) as { token: string; expires_at: string };
    store({ owner: this.owner, token, expires_at });
    return token;
  }

  #kept(): Kept | null {
    try {
      const kept = JSON.parse(localStorage.getItem(KEY) ?? "null") as Kept | null;
      return kept?.owner === this.owner ? kept : null;
    } catch {
      return null; // no storage, or not ours
    }
  }
}

/** Remove the token, and the marks of unfinished uploads with their file names: the server's list knows them too. */
export function forget(): void {
  try {
    for (const key of Object.keys(localStorage)) if (key === KEY || key.startsWith("tus::")) localStorage.removeItem(key);
  } catch {
    // a browser without storage kept nothing
  }
}

function store(kept: Kept): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(kept));
  } catch {
    // full or forbidden: every request fetches its own
  }
}

/** The cookie follows a sign-in in another tab, the field of the page does not. */
function csrf(): string {
  const cookie = /(?:^|; )(?:__Host-)?csrftoken=([^;]+)/.exec(document.cookie)?.[1];
  return cookie ?? document.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]")?.value ?? "";
}
