import { useCallback, useMemo, useState } from "react";
import { DropZone } from "./DropZone";
import { FileRow } from "./FileRow";
import { dropped, type Picked } from "./files";
import { DEFAULTS, isUnderway } from "./machine";
import { OptionsPanel } from "./OptionsPanel";
import type { Settings } from "./settings";
import type { Transport } from "./transport";
import { UnfinishedList } from "./UnfinishedList";
import { useLeaveWarning, useOnline, usePageDrop } from "./usePage";
import { useUploads } from "./useUploads";
import { speaker } from "./words";

interface Props {
  settings: Settings;
  transport: Transport;
  quiet: boolean; // without a drop target of its own: a page of recordings
}

/** The drop target and the list it turns into. */
export function UploadIsland({ settings, transport, quiet }: Props) {
  const say = useMemo(() => speaker(settings.words), [settings]);
  const [options, setOptions] = useState(DEFAULTS);
  const { uploads, said, add, ...acts } = useUploads(transport, settings, say);
  const online = useOnline();
  const take = useCallback((picked: Picked) => add(picked, options), [add, options]);
  const dragging = usePageDrop(useCallback((transfer: DataTransfer) => void dropped(transfer).then(take), [take]));
  useLeaveWarning(uploads.some(isUnderway));
  return (
    <>
      {!quiet && <DropZone settings={settings} say={say} small={uploads.length > 0} dragging={dragging} onPick={take} />}
      {!quiet && <OptionsPanel choices={settings.choices} options={options} say={say} onChange={setOptions} />}
      {quiet && dragging && <div className="drop-veil">{say("drop_here")}</div>}
      {uploads.length > 0 && (
        <ul className="uploads" aria-label={say("uploads")}>
          {uploads.map((upload) => (
            <FileRow key={upload.id} upload={upload} online={online} say={say} acts={acts} />
          ))}
        </ul>
      )}
      <UnfinishedList transport={transport} uploads={uploads} accept={settings.accept} say={say} onPick={take} />
      <div className="sr-only" role="log" aria-live="polite">
        {said.map(({ id, text }) => (
          <p key={id}>{text}</p>
        ))}
      </div>
    </>
  );
}
