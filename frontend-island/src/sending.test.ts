// What the real server of the browser tests does not do on request: proxies that fail, tokens that end, full disks.
import { beforeEach, describe, expect, it, vi } from "vitest";
import { Credentials } from "./credentials";
import { DEFAULTS } from "./machine";
import { TusTransport } from "./tus";

interface Asked {
  method: string;
  url: string;
  headers: Record<string, string>;
  size: number;
}
interface Answer {
  status: number; // 0: the line breaks
  headers?: Record<string, string>;
  body?: string;
}

let asked: Asked[] = [];
let answers: Answer[] = [];

/** The browser's own object, as far as tus-js-client uses it: each request takes the next answer. */
class Wire {
  upload = { onprogress: null };
  status = 0;
  responseText = "";
  onload = () => {};
  onerror = (_: unknown) => {};
  #asked: Asked = { method: "", url: "", headers: {}, size: 0 };
  #headers: Record<string, string> = {};

  open(method: string, url: string) {
    Object.assign(this.#asked, { method, url: new URL(url, location.href).pathname });
  }
  setRequestHeader(name: string, value: string) {
    this.#asked.headers[name] = value;
  }
  getResponseHeader(name: string) {
    return this.#headers[name] ?? null;
  }
  abort() {}
  send(body: Blob | null) {
    asked.push({ ...this.#asked, size: body?.size ?? 0 });
    const answer = answers.shift();
    if (!answer) return; // it hangs
    this.status = answer.status;
    this.#headers = answer.headers ?? {};
    this.responseText = answer.body ?? "";
    queueMicrotask(() => (answer.status ? this.onload() : this.onerror(new Error("network"))));
  }
}

const BASE = "/api/v1/uploads/";
const FILE = new File([new Uint8Array(1000)], "talk.mp3", { type: "audio/mpeg", lastModified: 5 });
const CREATED = { status: 201, headers: { Location: `${BASE}1` } };
const AT = (offset: number) => ({ status: 200, headers: { "Upload-Offset": String(offset), "Upload-Length": "1000" } });
const WHOLE = { status: 204, headers: { "Upload-Offset": "1000", "X-Job": "/jobs/1/" } };

// jsdom has no Blob.arrayBuffer; every browser has.
Object.assign(Blob.prototype, { arrayBuffer: async () => new ArrayBuffer(1) });

let tokens = 0;
let listed: unknown[] = [];
let metadata = "";

beforeEach(() => {
  asked = [];
  answers = [];
  listed = [];
  metadata = "";
  tokens = 0;
  localStorage.clear();
  vi.stubGlobal("XMLHttpRequest", Wire);
  vi.stubGlobal("fetch", async (url: string, { method }: RequestInit) => {
    if (url === "/token/") return Response.json({ token: `t${++tokens}`, expires_at: "2999-01-01T00:00:00Z" });
    if (method === "GET") return Response.json(listed);
    asked.push({ method: method ?? "", url, headers: {}, size: 0 });
    return new Response(null, { status: method === "HEAD" ? 200 : 204, headers: { "Upload-Metadata": metadata } });
  });
});

/** Everything heard until the end of one upload; lost connections are answered by an "online" of the browser. */
async function heard(...given: Answer[]): Promise<string[]> {
  answers = given;
  const said: string[] = [];
  const transport = new TusTransport(BASE, new Credentials("/token/", "alice"));
  await new Promise<void>((resolve) => {
    transport.send(FILE, { ...DEFAULTS, language: "de", hot_words: "Łódź" }, {
      progress: () => {},
      lost: () => {
        said.push("lost");
        setTimeout(() => dispatchEvent(new Event("online")));
      },
      done: (url) => resolve(void said.push(`done ${url}`)),
      refused: ({ code, detail }) => resolve(void said.push(`refused ${code} ${detail}`.trim())),
    });
  });
  return said;
}

const lines = () => asked.map(({ method, url }) => `${method} ${url.replace(BASE, "")}`);

describe("an upload", () => {
  it("is created with its name and options, sent with a token, and leads to its recording", async () => {
    expect(await heard(CREATED, WHOLE)).toEqual(["done /jobs/1/"]);
    expect(lines()).toEqual(["POST ", "PATCH 1"]);
    expect(asked[0]?.headers["Upload-Metadata"]).toBe(
      `filename ${btoa("talk.mp3")},modified ${btoa("5")},language ${btoa("de")},hot_words xYHDs2TFug==`,
    );
    expect(asked[1]).toMatchObject({ size: 1000, headers: { Authorization: "Bearer t1", "Upload-Offset": "0" } });
    expect(Object.keys(localStorage)).toEqual(["upload-token"]);
  });

  it("goes on where the server is, after a cut, a lock and a proxy whose server starts again", async () => {
    const said = await heard(CREATED, { status: 0 }, { status: 423 }, { status: 502 }, { status: 503 }, AT(400), WHOLE);
    expect(said).toEqual(["lost", "lost", "lost", "lost", "done /jobs/1/"]);
    expect(lines()).toEqual(["POST ", "PATCH 1", "HEAD 1", "HEAD 1", "HEAD 1", "HEAD 1", "PATCH 1"]);
    expect(asked.at(-1)).toMatchObject({ size: 600, headers: { "Upload-Offset": "400" } });
  });

  it("hears of its end by a question when the last answer was lost", async () => {
    const whole = { status: 200, headers: { ...AT(1000).headers, "X-Job": "/jobs/1/" } };
    expect(await heard(CREATED, { status: 0 }, whole)).toEqual(["lost", "done /jobs/1/"]);
  });

  it("begins anew when the server no longer has it", async () => {
    expect(await heard(CREATED, { status: 0 }, { status: 410 }, CREATED, WHOLE)).toEqual(["lost", "done /jobs/1/"]);
    expect(lines()).toEqual(["POST ", "PATCH 1", "HEAD 1", "POST ", "PATCH 1"]);
  });

  it("renews a token that ended once, and is kept when the session ended too", async () => {
    expect(await heard(CREATED, { status: 401 }, WHOLE)).toEqual(["done /jobs/1/"]);
    expect(asked.map(({ headers }) => headers["Authorization"])).toEqual(["Bearer t1", "Bearer t1", "Bearer t2"]);
    expect(await heard(CREATED, { status: 401 }, { status: 401 })).toEqual(["refused signed_out"]);
    expect(Object.keys(localStorage).filter((key) => key.startsWith("tus::"))).toHaveLength(1);
  });

  it.each([413, 507, 400])("is refused with the server's sentence: %d", async (status) => {
    const body = JSON.stringify({ code: "full", detail: "No room." });
    expect(await heard({ status, body })).toEqual(["refused full No room."]);
  });

  it("is refused without a sentence by what is not our server", async () => {
    expect(await heard({ status: 403, body: "<html>" })).toEqual(["refused refused"]);
  });

  it("says when its file is gone from the device", async () => {
    vi.spyOn(Blob.prototype, "arrayBuffer").mockRejectedValue(new DOMException("", "NotReadableError"));
    expect(await heard()).toEqual(["refused file_gone"]);
  });
});

describe("what the server kept", () => {
  const kept = { id: "7", url: `${BASE}7`, title: "talk.mp3", length: 1000, offset: 300, expires_at: "" };

  it("is gone on with by name and size", async () => {
    listed = [{ ...kept, length: 999 }, { ...kept, title: "other.mp3" }, kept];
    metadata = `filename x,modified ${btoa("5")}`;
    expect(await heard(AT(300), WHOLE)).toEqual(["done /jobs/1/"]);
    expect(lines()).toEqual(["HEAD 7", "HEAD 7", "PATCH 7"]);
  });

  it("is not, when it is of another version of the file", async () => {
    listed = [kept];
    metadata = `modified ${btoa("4")}`;
    expect(await heard(CREATED, WHOLE)).toEqual(["done /jobs/1/"]);
    expect(lines()).toEqual(["HEAD 7", "POST ", "PATCH 1"]);
  });

  it("is removed on request, with the mark of it here", async () => {
    localStorage.setItem("tus::talk::1", JSON.stringify({ uploadUrl: `${location.origin}${BASE}7` }));
    await new TusTransport(BASE, new Credentials("/token/", "alice")).discard(`${BASE}7`);
    expect(lines()).toEqual(["DELETE 7"]);
    expect(Object.keys(localStorage)).toEqual(["upload-token"]);
  });
});

describe("a person who stops it", () => {
  it("hears nothing of it any more, and nothing is sent", async () => {
    const said: string[] = [];
    const note = (what: string) => () => void said.push(what);
    const hear = { progress: note("progress"), lost: note("lost"), done: note("done"), refused: note("refused") };
    const transport = new TusTransport(BASE, new Credentials("/token/", "alice"));
    answers = [CREATED, WHOLE];
    transport.send(FILE, DEFAULTS, hear).pause();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect([said, asked]).toEqual([[], []]);
  });
});
