import { FileAudio, FolderOpen } from "lucide-react";
import type { ChangeEvent } from "react";
import type { Picked } from "./files";
import type { Settings } from "./settings";
import { size, type Say } from "./words";

interface Props {
  settings: Settings;
  say: Say;
  small: boolean; // beside a list
  dragging: boolean;
  onPick: (picked: Picked) => void;
}

/** Where files are dropped or chosen. The drop itself is heard on the whole page. */
export function DropZone({ settings, say, small, dragging, onPick }: Props) {
  const files = taking((found) => onPick({ files: found, inFolders: [] }));
  const folder = taking((found) => onPick({ files: [], inFolders: found }));
  return (
    <div className={small ? "drop-zone drop-zone-small" : "drop-zone"} data-dragging={dragging || undefined}>
      <label className="drop">
        <FileAudio aria-hidden="true" />
        <span className="drop-name">{say("drop")}</span>
        <span className="hint">{say("hint", { limit: size(settings.limit) })}</span>
        <input type="file" multiple accept={settings.accept} onChange={files} />
      </label>
      <label className="btn btn-sm btn-ghost drop-folder">
        <FolderOpen aria-hidden="true" /> {say("folder")}
        <input type="file" className="sr-only" ref={(input) => input?.setAttribute("webkitdirectory", "")} onChange={folder} />
      </label>
    </div>
  );
}

/** Hands the files on and empties the input: the same file can be chosen again. */
export function taking(take: (files: File[]) => void) {
  return (event: ChangeEvent<HTMLInputElement>) => {
    take([...(event.target.files ?? [])]);
    event.target.value = "";
  };
}
