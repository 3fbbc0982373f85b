// What a screen reader is told of an upload: start, each quarter, the end and what stands in its way; never every percent.
import { percent, type Upload } from "./machine";
import type { Say } from "./words";

/** The sentence for a change; null where there is nothing to say. `before` is undefined for an upload just added. */
export function announcement(before: Upload | undefined, after: Upload, say: Say): string | null {
  const name = after.file.name;
  if (before && before.state === after.state) return quarter(before, after, say);
  switch (after.state) {
    case "starting":
      return say("said_start", { name });
    case "uploading":
      return before?.state === "retrying" ? say("said_going_on", { name }) : quarter(before, after, say);
    case "retrying":
      return say("said_problem", { name, reason: say("retrying") });
    case "refused":
    case "failed":
      return say("said_problem", { name, reason: after.reason });
    case "paused":
      return say("said_paused", { name });
    case "cancelled":
      return say("said_cancelled", { name });
    case "done":
      return say("said_done", { name });
    default:
      return null;
  }
}

function quarter(before: Upload | undefined, after: Upload, say: Say): string | null {
  if (!before) return null;
  const [passed, reached] = [before, after].map((one) => Math.floor(percent(one) / 25)) as [number, number];
  if (after.state !== "uploading" || reached <= passed) return null;
  return say("said_quarter", { name: after.file.name, percent: reached * 25 });
}
