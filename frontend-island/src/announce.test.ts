import { describe, expect, it } from "vitest";
import { announcement } from "./announce";
import { created, DEFAULTS, next, type Event, type Upload } from "./machine";

const FILE = new File([new Uint8Array(1000)], "talk.mp3");
const say = (key: string, values = {}) => [key, ...Object.values(values)].join("|");

function told(events: Event[]): (string | null)[] {
  let upload: Upload = created("1", FILE, DEFAULTS);
  return events.map((event) => {
    const before = upload;
    upload = next(before, event);
    return announcement(before, upload, say);
  });
}

const at = (sent: number): Event => ({ type: "progress", sent, at: 0 });

describe("what is read out", () => {
  it("is the start, each quarter once, and the end", () => {
    const events = [{ type: "start" } as const, at(10), at(240), at(250), at(300), at(740), at(760), at(1000), { type: "finish", url: "/" } as const];
    expect(told(events)).toEqual([
      "said_start|talk.mp3", null, null, "said_quarter|talk.mp3|25", null, "said_quarter|talk.mp3|50",
      "said_quarter|talk.mp3|75", null, "said_done|talk.mp3",
    ]);
  });

  it("is what stands in the way, once, and that it goes on", () => {
    expect(told([{ type: "start" }, at(10), { type: "lost" }, { type: "lost" }, at(10), { type: "refuse", reason: "Full." }])).toEqual([
      "said_start|talk.mp3", null, "said_problem|talk.mp3|retrying", null, "said_going_on|talk.mp3", "said_problem|talk.mp3|Full.",
    ]);
  });

  it("is what the person did", () => {
    expect(told([{ type: "pause" }, { type: "resume" }, { type: "cancel" }])).toEqual(["said_paused|talk.mp3", null, "said_cancelled|talk.mp3"]);
  });

  it("is a refusal of a file just added", () => {
    const refused = created("1", FILE, DEFAULTS, "Empty.");
    expect(announcement(undefined, refused, say)).toBe("said_problem|talk.mp3|Empty.");
  });
});
