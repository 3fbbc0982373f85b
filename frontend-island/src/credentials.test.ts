import { beforeEach, describe, expect, it, vi } from "vitest";
import { Credentials, forget, SignedOut } from "./credentials";

const START = Date.parse("2026-01-01T00:00:00Z");
let now = START;
let made = 0;

function answers(status = 200) {
  return vi.fn(async () => Response.json({ token: `t${++made}`, expires_at: new Date(now + 600_000).toISOString() }, { status }));
}

beforeEach(() => {
  localStorage.clear();
  now = START;
  made = 0;
});

function credentials(owner = "alice") {
  return new Credentials("/token/", owner, () => now);
}

describe("the token", () => {
  it("is fetched once with the CSRF cookie, kept, and used by the next page too", async () => {
    document.cookie = "csrftoken=secret";
    const ask = answers();
    vi.stubGlobal("fetch", ask);
    expect(await credentials().token()).toBe("t1");
    expect(await credentials().token()).toBe("t1");
    expect(ask).toHaveBeenCalledExactlyOnceWith("/token/", expect.objectContaining({ method: "POST" }));
    expect((ask.mock.calls[0] as unknown as [string, RequestInit])[1].headers).toMatchObject({ "X-CSRFToken": "secret" });
  });

  it("is fetched with the CSRF cookie of production", async () => {
    vi.spyOn(document, "cookie", "get").mockReturnValueOnce("theme=dark; __Host-csrftoken=other");
    const ask = answers();
    vi.stubGlobal("fetch", ask);
    await credentials().token();
    expect((ask.mock.calls[0] as unknown as [string, RequestInit])[1].headers).toMatchObject({ "X-CSRFToken": "other" });
  });

  it("is renewed a minute before it ends", async () => {
    vi.stubGlobal("fetch", answers());
    const mine = credentials();
    await mine.token();
    now += 539_000;
    expect(await mine.token()).toBe("t1");
    now += 2_000;
    expect(await mine.token()).toBe("t2");
  });

  it("is asked for once when many need it", async () => {
    const ask = answers();
    vi.stubGlobal("fetch", ask);
    const mine = credentials();
    expect(await Promise.all([mine.token(), mine.token(), mine.renew()])).toEqual(["t1", "t1", "t1"]);
    expect(ask).toHaveBeenCalledTimes(1);
  });

  it("of another person is not used", async () => {
    vi.stubGlobal("fetch", answers());
    await credentials("alice").token();
    expect(await credentials("bob").token()).toBe("t2");
  });

  it("ends with the session", async () => {
    vi.stubGlobal("fetch", answers());
    await credentials().token();
    vi.stubGlobal("fetch", answers(401));
    await expect(credentials().renew()).rejects.toBeInstanceOf(SignedOut);
    expect(localStorage.length).toBe(0);
  });

  it("is asked for again later when the server is down", async () => {
    vi.stubGlobal("fetch", answers(502));
    await expect(credentials().token()).rejects.not.toBeInstanceOf(SignedOut);
  });

  it("leaves with the marks of uploads at sign-out, and nothing else does", async () => {
    vi.stubGlobal("fetch", answers());
    await credentials().token();
    localStorage.setItem("tus::talk.mp3::1", "{}");
    localStorage.setItem("theme", "dark");
    forget();
    expect(Object.keys(localStorage)).toEqual(["theme"]);
  });
});
