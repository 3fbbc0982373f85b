import { describe, expect, it } from "vitest";
import { can, created, DEFAULTS, isFlying, isOver, isUnderway, MOVES, next, pace, percent, startable, type Event, type State, type Upload } from "./machine";

const FILE = new File([new Uint8Array(1000)], "talk.mp3", { type: "audio/mpeg" });
const STATES: State[] = ["waiting", "starting", "uploading", "retrying", "finishing", "paused", "done", "refused", "failed", "cancelled"];
const EVENTS: Record<Event["type"], Event> = {
  start: { type: "start" },
  progress: { type: "progress", sent: 500, at: 0 },
  lost: { type: "lost" },
  pause: { type: "pause" },
  resume: { type: "resume" },
  cancel: { type: "cancel" },
  retry: { type: "retry" },
  refuse: { type: "refuse", reason: "No room." },
  finish: { type: "finish", url: "/recordings/1/" },
};

// Every pair: from each state (row) by each event, in the order of EVENTS; "." changes nothing.
const TABLE: Record<State, string> = {
  waiting: "starting . . paused . cancelled . . .",
  starting: ". uploading retrying paused . cancelled . failed done",
  uploading: ". uploading retrying paused . cancelled . failed done",
  retrying: ". uploading retrying paused . cancelled . failed done",
  finishing: ". uploading retrying . . . . failed done",
  paused: ". . . . waiting cancelled . . .",
  done: ". . . . . . . . .",
  refused: ". . . . . . . . .",
  failed: ". . . . . cancelled waiting . .",
  cancelled: ". . . . . . waiting . .",
};

function inState(state: State, fields: Partial<Upload> = {}): Upload {
  return { ...created("1", FILE, DEFAULTS), state, ...fields };
}

describe("the table of moves", () => {
  for (const state of STATES) {
    const targets = TABLE[state].split(" ");
    Object.values(EVENTS).forEach((event, index) => {
      it(`${state} + ${event.type} -> ${targets[index]}`, () => {
        const before = inState(state);
        const after = next(before, event);
        if (targets[index] === ".") expect(after).toBe(before);
        else expect(after.state).toBe(targets[index]);
        expect(can(before, event.type)).toBe(targets[index] !== ".");
      });
    });
  }

  it("names every event", () => {
    expect(Object.keys(MOVES).sort()).toEqual(Object.keys(EVENTS).sort());
  });
});

describe("what an upload carries along", () => {
  it("is refused from the start with its reason", () => {
    expect(created("1", FILE, DEFAULTS, "Too large.")).toMatchObject({ state: "refused", reason: "Too large." });
  });

  it("finishes when the last byte is on its way, and travels again when the server has less", () => {
    const finishing = next(inState("uploading"), { type: "progress", sent: 1000, at: 0 });
    expect([finishing.state, percent(finishing)]).toEqual(["finishing", 100]);
    expect(next(finishing, { type: "progress", sent: 400, at: 1 })).toMatchObject({ state: "uploading", sent: 400 });
  });

  it("keeps what was sent in a pause, and forgets it with a cancel", () => {
    const half = inState("uploading", { sent: 500 });
    expect(next(half, EVENTS.pause).sent).toBe(500);
    expect(next(half, EVENTS.cancel).sent).toBe(0);
  });

  it("loses its reason when it is tried again", () => {
    const failed = next(inState("uploading"), EVENTS.refuse);
    expect(failed.reason).toBe("No room.");
    expect(next(failed, EVENTS.retry).reason).toBe("");
  });

  it("is whole with its address when done", () => {
    expect(next(inState("retrying"), EVENTS.finish)).toMatchObject({ sent: 1000, url: "/recordings/1/" });
  });
});

describe("percent and pace", () => {
  it("rounds down", () => {
    expect(percent(inState("uploading", { sent: 999 }))).toBe(99);
  });

  const travelled = (...marks: [at: number, sent: number][]) =>
    marks.reduce((upload, [at, sent]) => next(upload, { type: "progress", sent, at }), inState("starting"));

  it("says nothing before half a second", () => {
    expect(pace(travelled([0, 100], [400, 200]))).toBeNull();
  });

  it("is bytes a second and seconds left, from where this connection began", () => {
    expect(pace(travelled([0, 500], [1000, 600]))).toEqual({ speed: 100, left: 4 });
  });

  it("looks at the last eight seconds alone", () => {
    expect(pace(travelled([0, 0], [10_000, 100], [12_000, 300]))?.speed).toBe(100);
  });

  it("starts afresh when the server has less than was thought", () => {
    expect(pace(travelled([0, 0], [1000, 500], [2000, 300]))).toBeNull();
  });

  it("is nothing while it does not travel", () => {
    expect(pace(next(travelled([0, 0], [1000, 500]), EVENTS.lost))).toBeNull();
  });
});

describe("the line of uploads", () => {
  const line = (...states: State[]) => states.map((state, index) => inState(state, { id: String(index) }));
  const ids = (uploads: Upload[]) => uploads.map(({ id }) => id);

  it("starts the first who wait, as many as there is room for", () => {
    expect(ids(startable(line("waiting", "waiting", "waiting"), 2))).toEqual(["0", "1"]);
    expect(ids(startable(line("uploading", "paused", "waiting", "waiting"), 2))).toEqual(["2"]);
    expect(startable(line("starting", "retrying", "waiting"), 2)).toEqual([]);
    expect(ids(startable(line("done", "failed", "cancelled", "refused", "waiting"), 2))).toEqual(["4"]);
  });

  it("knows who flies, who would be stopped by leaving, and who is over", () => {
    const which = (test: (upload: Upload) => boolean) => STATES.filter((state) => test(inState(state)));
    expect(which(isFlying)).toEqual(["starting", "uploading", "retrying", "finishing"]);
    expect(which(isUnderway)).toEqual(["waiting", "starting", "uploading", "retrying", "finishing"]);
    expect(which(isOver)).toEqual(["done", "refused", "cancelled"]);
  });
});
