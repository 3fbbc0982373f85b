import { useCallback, useEffect, useState } from "react";
import { taking } from "./DropZone";
import type { Picked } from "./files";
import type { Upload } from "./machine";
import type { Transport, Unfinished } from "./transport";
import { moment, size, type Say } from "./words";

interface Props {
  transport: Transport;
  uploads: readonly Upload[];
  accept: string;
  say: Say;
  onPick: (picked: Picked) => void;
}

/** What the server keeps of earlier uploads: choosing the file again goes on with it. */
export function UnfinishedList({ transport, uploads, accept, say, onPick }: Props) {
  const [found, discard] = useUnfinished(transport);
  const shown = found.filter((one) => !uploads.some(({ file, state }) => file.name.normalize("NFC") === one.title && file.size === one.length && state !== "refused"));
  if (!shown.length) return null;
  return (
    <section className="unfinished" aria-labelledby="unfinished-title">
      <h2 id="unfinished-title">{say("unfinished")}</h2>
      <ul>
        {shown.map((one) => (
          <li key={one.id} className="upload-row">
            <p className="upload-name">
              <span>{one.title}</span> <small>{size(one.length)}</small>
            </p>
            <p className="upload-told">
              {say("kept", { percent: Math.floor((100 * one.offset) / one.length), until: moment(one.expires_at) })}
            </p>
            <span className="upload-buttons">
              <label className="btn btn-sm btn-ghost drop-again">
                {say("choose")} <span className="sr-only">{one.title}</span>
                <input type="file" className="sr-only" accept={accept} onChange={taking((files) => onPick({ files, inFolders: [] }))} />
              </label>
              <button type="button" className="btn btn-sm btn-ghost" aria-label={say("discard_named", { name: one.title })} onClick={() => discard(one)}>
                {say("discard")}
              </button>
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function useUnfinished(transport: Transport): [Unfinished[], (one: Unfinished) => void] {
  const [found, setFound] = useState<Unfinished[]>([]);
  const read = useCallback(() => transport.unfinished().then(setFound, () => {}), [transport]); // a help, not a need
  useEffect(() => void read(), [read]);
  const discard = (one: Unfinished) => {
    setFound((before) => before.filter(({ id }) => id !== one.id));
    transport.discard(one.url).catch(() => void read()); // still there: say so by showing it again
  };
  return [found, discard];
}
