import { CircleAlert, CircleCheck, Pause, Play, RotateCw, X } from "lucide-react";
import { memo } from "react";
import { can, isOver, pace, percent, type Upload } from "./machine";
import type { Uploads } from "./useUploads";
import { clock, size, type Say } from "./words";

interface Props {
  upload: Upload;
  online: boolean;
  say: Say;
  acts: Pick<Uploads, "pause" | "resume" | "retry" | "cancel" | "remove">;
}

/** One line: name, how far it is, how fast, how long yet, and its two buttons. */
export const FileRow = memo(
  function FileRow({ upload, online, say, acts }: Props) {
    const { file, state, url } = upload;
    const problem = state === "refused" || state === "failed";
    return (
      <li className="upload-row" data-state={state}>
        <p className="upload-name">
          {url ? <a href={url}>{file.name}</a> : <span>{file.name}</span>} <small>{size(file.size)}</small>
        </p>
        <p className={problem ? "upload-told upload-problem" : "upload-told"}>
          {problem && <CircleAlert aria-hidden="true" />}
          {state === "done" && <CircleCheck aria-hidden="true" />}
          <span>{told(upload, online, say)}</span>
        </p>
        <Buttons upload={upload} say={say} acts={acts} />
        {!isOver(upload) && (
          <progress
            className="line"
            max={100}
            value={percent(upload)}
            aria-label={say("progress_of", { name: file.name })}
          />
        )}
      </li>
    );
  },
  (before, after) => before.upload === after.upload && before.online === after.online,
);

/** The same two elements in every state, so that the one with the focus keeps it when its meaning changes. */
function Buttons({ upload, say, acts }: Omit<Props, "online">) {
  const name = upload.file.name;
  const main = (["pause", "resume", "retry"] as const).find((act) => can(upload, act));
  const end = can(upload, "cancel") ? "cancel" : isOver(upload) ? "remove" : null;
  return (
    <span className="upload-buttons">
      {main && (
        <button key="main" type="button" className="btn btn-sm btn-ghost" aria-label={say(`${main}_named`, { name })} title={say(main)} onClick={() => acts[main](upload)}>
          {main === "pause" ? <Pause aria-hidden="true" /> : main === "resume" ? <Play aria-hidden="true" /> : <RotateCw aria-hidden="true" />}
        </button>
      )}
      {end && (
        <button key="end" type="button" className="btn btn-sm btn-ghost" aria-label={say(`${end}_named`, { name })} title={say(end)} onClick={() => acts[end](upload)}>
          <X aria-hidden="true" />
        </button>
      )}
    </span>
  );
}

function told(upload: Upload, online: boolean, say: Say): string {
  switch (upload.state) {
    case "refused":
    case "failed":
      return upload.reason;
    case "paused":
      return `${say("paused")} · ${percent(upload)} %`;
    case "retrying":
      return say(online ? "retrying" : "offline");
    case "uploading":
      return travelling(upload, say);
    default:
      return say(upload.state);
  }
}

function travelling(upload: Upload, say: Say): string {
  const found = pace(upload);
  const parts = [`${percent(upload)} %`];
  if (found) parts.push(`${size(found.speed)}/s`, say("left", { time: clock(found.left) }));
  return parts.join(" · ");
}
