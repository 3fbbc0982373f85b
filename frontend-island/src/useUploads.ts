// The list of uploads: the machine's moves, the transport's news, and who may start next.
import { useCallback, useEffect, useRef, useState } from "react";
import { announcement } from "./announce";
import { isRecording, isSame, refusal, type Picked } from "./files";
import { can, created, isOver, next, startable, type Event, type Options, type Upload } from "./machine";
import type { Settings } from "./settings";
import type { Hear, Refusal, Sending, Transport } from "./transport";
import { size, type Say } from "./words";

const AT_ONCE = 2; // one keeps the line busy, the second fills the gap when the first one finishes
const SHOW_MILLISECONDS = 200; // progress is drawn no more often

export interface Uploads {
  uploads: readonly Upload[];
  said: readonly { id: number; text: string }[]; // the newest announcements
  add(picked: Picked, options: Options): void;
  pause(upload: Upload): void;
  resume(upload: Upload): void;
  retry(upload: Upload): void;
  cancel(upload: Upload): void;
  remove(upload: Upload): void;
}

export function useUploads(transport: Transport, settings: Settings, say: Say): Uploads {
  const [uploads, setUploads] = useState<readonly Upload[]>([]);
  const [said, setSaid] = useState<Uploads["said"]>([]);
  const current = useRef(uploads); // the truth between two renders: news comes faster than React draws
  const sendings = useRef(new Map<string, Sending>());
  const count = useRef(0);

  const announce = useCallback((text: string | null) => {
    if (text) setSaid((before) => [...before.slice(-4), { id: ++count.current, text }]);
  }, []);

  const put = useCallback((changed: readonly Upload[]) => {
    current.current = changed;
    setUploads(changed);
  }, []);

  const happen = useCallback(
    (id: string, event: Event) => {
      const before = current.current.find((one) => one.id === id);
      const after = before && next(before, event);
      if (!after || after === before) return;
      announce(announcement(before, after, say));
      put(current.current.map((one) => (one.id === id ? after : one)));
    },
    [announce, put, say],
  );

  const hearing = useCallback(
    (upload: Upload): Hear => {
      let shown = 0;
      return {
        progress(sent) {
          const at = performance.now();
          if (sent < upload.file.size && at - shown < SHOW_MILLISECONDS) return;
          shown = at;
          happen(upload.id, { type: "progress", sent, at });
        },
        lost: () => happen(upload.id, { type: "lost" }),
        done: (url) => happen(upload.id, { type: "finish", url }),
        refused: (refusal) => happen(upload.id, { type: "refuse", reason: sentence(refusal, say) }),
      };
    },
    [happen, say],
  );

  useEffect(() => {
    for (const upload of startable(current.current, AT_ONCE)) {
      happen(upload.id, { type: "start" });
      sendings.current.set(upload.id, transport.send(upload.file, upload.options, hearing(upload)));
    }
  }, [uploads, happen, hearing, transport]);

  const act = useCallback(
    (upload: Upload, event: Event, also: (sending: Sending | undefined) => void = () => {}) => {
      const now = current.current.find((one) => one.id === upload.id);
      if (!now || !can(now, event.type)) return; // the button was pressed a moment too late
      also(sendings.current.get(upload.id));
      happen(upload.id, event);
    },
    [happen],
  );

  const add = useCallback(
    (picked: Picked, options: Options) => {
      const inFolders = picked.inFolders.filter((file) => isRecording(file, settings.extensions) && file.size > 0);
      if (inFolders.length < picked.inFolders.length) announce(say("left_out"));
      for (const file of [...picked.files, ...inFolders]) {
        const twin = current.current.find((one) => !isOver(one) && isSame(one.file, file));
        if (twin) {
          act(twin, { type: twin.state === "failed" ? "retry" : "resume" });
          continue;
        }
        const key = refusal(file, settings);
        const reason = key ? say(key, { limit: size(settings.limit) }) : "";
        const upload = created(`upload-${++count.current}`, file, options, reason);
        announce(reason ? announcement(undefined, upload, say) : null);
        put([...current.current, upload]);
      }
    },
    [act, announce, put, say, settings],
  );

  return {
    uploads,
    said,
    add,
    pause: (upload) => act(upload, { type: "pause" }, (sending) => sending?.pause()),
    resume: (upload) => act(upload, { type: "resume" }),
    retry: (upload) => act(upload, { type: "retry" }),
    cancel: (upload) => act(upload, { type: "cancel" }, (sending) => void sending?.cancel().catch(() => {})),
    remove: (upload) => put(current.current.filter((one) => one.id !== upload.id)),
  };
}

function sentence({ code, detail }: Refusal, say: Say): string {
  return ["signed_out", "file_gone"].includes(code) ? say(code) : detail || say("not_accepted");
}
