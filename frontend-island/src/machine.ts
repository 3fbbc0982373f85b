// One upload: its states and moves. Pure: no React, no network, no clock of its own.

export interface Options {
  language: string;
  model: string;
  task: string;
  prompt: string;
  hot_words: string;
  beam: string;
}

export const DEFAULTS: Options = { language: "", model: "", task: "", prompt: "", hot_words: "", beam: "" };

export type State =
  | "waiting" // for a place among those in flight
  | "starting" // the server is being asked
  | "uploading"
  | "retrying" // the connection was lost; it goes on by itself
  | "finishing" // every byte is on its way, the server has not said yet that it has the recording
  | "paused"
  | "done"
  | "refused" // before anything was sent
  | "failed" // the server said no, or the person is signed out; what was sent is kept
  | "cancelled";

export interface Mark {
  at: number; // milliseconds
  sent: number; // bytes
}

export interface Upload {
  readonly id: string;
  readonly file: File;
  readonly options: Options;
  readonly state: State;
  readonly sent: number; // bytes
  readonly marks: readonly Mark[]; // the newest moments of this connection, for the speed
  readonly reason: string; // a sentence, where it was refused or failed
  readonly url: string; // of the recording, once done
}

export type Event =
  | { type: "start" | "lost" | "pause" | "resume" | "cancel" | "retry" }
  | { type: "progress"; sent: number; at: number }
  | { type: "refuse"; reason: string }
  | { type: "finish"; url: string };

const FLYING: readonly State[] = ["starting", "uploading", "retrying", "finishing"];

/** From which states an event moves an upload, and to which. Whatever is not here changes nothing. */
export const MOVES: Record<Event["type"], { from: readonly State[]; to: State }> = {
  start: { from: ["waiting"], to: "starting" },
  progress: { from: FLYING, to: "uploading" },
  lost: { from: FLYING, to: "retrying" },
  pause: { from: ["waiting", "starting", "uploading", "retrying"], to: "paused" },
  resume: { from: ["paused"], to: "waiting" },
  cancel: { from: ["waiting", "starting", "uploading", "retrying", "paused", "failed"], to: "cancelled" },
  retry: { from: ["failed", "cancelled"], to: "waiting" },
  refuse: { from: FLYING, to: "failed" },
  finish: { from: FLYING, to: "done" },
};

const SPEED_MILLISECONDS = 8000; // the speed shown is that of so long

export function created(id: string, file: File, options: Options, refusal = ""): Upload {
  const state = refusal ? "refused" : "waiting";
  return { id, file, options, state, sent: 0, marks: [], reason: refusal, url: "" };
}

export function can(upload: Upload, type: Event["type"]): boolean {
  return MOVES[type].from.includes(upload.state);
}

/** The upload after the event; the very same object where the event does not fit its state. */
export function next(upload: Upload, event: Event): Upload {
  if (!can(upload, event.type)) return upload;
  const moved = { ...upload, state: MOVES[event.type].to };
  switch (event.type) {
    case "progress":
      return travelled(moved, event);
    case "refuse":
      return { ...moved, reason: event.reason, marks: [] };
    case "finish":
      return { ...moved, url: event.url, sent: upload.file.size, marks: [] };
    case "cancel":
      return { ...moved, sent: 0, marks: [] };
    default:
      return { ...moved, reason: "", marks: [] };
  }
}

function travelled(upload: Upload, { sent, at }: Mark): Upload {
  const state = sent >= upload.file.size ? "finishing" : "uploading";
  const before = sent < upload.sent ? [] : upload.marks.filter((mark) => mark.at >= at - SPEED_MILLISECONDS);
  return { ...upload, state, sent, marks: [...before, { at, sent }] };
}

export function isFlying(upload: Upload): boolean {
  return FLYING.includes(upload.state);
}

/** Whether leaving the page would stop it. */
export function isUnderway(upload: Upload): boolean {
  return upload.state === "waiting" || isFlying(upload);
}

export function isOver(upload: Upload): boolean {
  return ["done", "refused", "cancelled"].includes(upload.state);
}

/** Whole percent, rounded down: 100 only when every byte is sent. */
export function percent(upload: Upload): number {
  return upload.file.size ? Math.floor((100 * upload.sent) / upload.file.size) : 0;
}

/** Bytes a second over the last seconds, and the seconds left; null while that cannot be told. */
export function pace(upload: Upload): { speed: number; left: number } | null {
  const first = upload.marks[0];
  const last = upload.marks.at(-1);
  if (upload.state !== "uploading" || !first || !last || last.at - first.at < 500 || last.sent <= first.sent) return null;
  const speed = (1000 * (last.sent - first.sent)) / (last.at - first.at);
  return { speed, left: (upload.file.size - upload.sent) / speed };
}

/** Who may start now: the first of those who wait, as many as there is room for. */
export function startable(uploads: readonly Upload[], most: number): Upload[] {
  const room = most - uploads.filter(isFlying).length;
  return room > 0 ? uploads.filter((upload) => upload.state === "waiting").slice(0, room) : [];
}
