import { describe, expect, it } from "vitest";
import { dropped, isSame, refusal } from "./files";

const LIMITS = { limit: 100, extensions: ["mp3", "mkv"] };
const file = (name: string, size = 10, type = "", lastModified = 1) => new File([new Uint8Array(size)], name, { type, lastModified });

describe("refusals before anything is sent", () => {
  it.each([
    ["talk.mp3", 10, "audio/mpeg", null],
    ["talk.mp3", 100, "audio/mpeg", null],
    ["talk.mp3", 101, "audio/mpeg", "too_large"],
    ["talk.mp3", 0, "audio/mpeg", "empty"],
    ["FILM.MKV", 10, "", null],
    ["odd.xyz", 10, "video/odd", null],
    ["recorder-without-ending", 10, "", null],
    ["letter.pdf", 10, "application/pdf", "wrong_type"],
    ["letter.pdf", 0, "application/pdf", "wrong_type"],
    ["unknown.xyz", 10, "", "wrong_type"],
    [".DS_Store", 10, "", "wrong_type"],
  ])("%s of %d bytes, %s: %s", (name, size, type, reason) => {
    expect(refusal(file(name, size, type), LIMITS)).toBe(reason);
  });

  it("knows a file by its name, size and time", () => {
    expect(isSame(file("a", 10), file("a", 10))).toBe(true);
    for (const other of [file("b", 10), file("a", 11), file("a", 10, "", 2)]) expect(isSame(file("a", 10), other)).toBe(false);
  });
});

// The system's own objects cannot be made by hand; these have what the standard gives them.
function entry(of: File) {
  return { name: of.name, isFile: true, file: (take: (file: File) => void) => take(of) };
}

function folder(name: string, ...inside: { name: string }[]) {
  const rest = [...inside];
  return { name, isFile: false, createReader: () => ({ readEntries: (take: (some: unknown[]) => void) => take(rest.splice(0, 1)) }) };
}

function drop(...entries: unknown[]): DataTransfer {
  const items = entries.map((one) => ({ kind: "file", webkitGetAsEntry: () => one }));
  return { items, files: [file("loose.mp3")] } as unknown as DataTransfer;
}

const names = (files: File[]) => files.map(({ name }) => name);

describe("a drop", () => {
  it("is its files, and folders to their depths, however few a reader hands out at once", async () => {
    const deep = folder("deep", folder("deeper", entry(file("c.mp3"))), entry(file("b.mp3")));
    const picked = await dropped(drop(entry(file("a.mp3")), deep));
    expect(names(picked.files)).toEqual(["a.mp3"]);
    expect(names(picked.inFolders).sort()).toEqual(["b.mp3", "c.mp3"]);
  });

  it("is the plain list where the browser gives no entries", async () => {
    expect(names((await dropped(drop(null))).files)).toEqual(["loose.mp3"]);
  });
});
