"""The samples of a run: decoded once, shared by its spans, made again when missing."""

import fcntl
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from django.conf import settings

from jobs.failpoints import Point, reach
from jobs.models import Run
from jobs.services.files import remove_samples
from jobs.services.options import stored_options, work_of
from jobs.services.plan import PlannedWindow, store_plan
from jobs.services.renditions import store_facts
from worker import media
from worker.endings import refused
from worker.plan import plan, windows_per_batch
from worker.watch import Stopped, Watch


@dataclass(frozen=True)
class Prepared:
    """What decoding found out; None fields where the samples were there already."""

    decoded: media.Decoded | None
    speech: Path


def decode_samples(run: Run, watch: Watch) -> Prepared:
    """See that the run's samples are on disk, decoding if they are not. Media that cannot be used ends the run."""
    speech, lock = speech_path(run), run.samples_path.with_suffix(".lock")
    with _one_decoder(lock, watch):
        reach(Point.DECODING)
        if run.samples_path.exists() and speech.exists() and run.windows.to_hear().exists():
            return Prepared(None, speech)
        return Prepared(_decode(run, speech, lock, watch), speech)


def speech_path(run: Run) -> Path:
    """How likely each frame is speech, for as long as the samples are there: what is heard is compared with it."""
    return run.samples_path.with_suffix(".speech")


def plan_windows(run: Run, prepared: Prepared, *, speed: float, notes: Sequence[Mapping[str, str]] = ()) -> None:
    """Cut the speech, or that of the part to hear again, into windows, batches and spans, and store them.

    `notes` are warnings besides those of decoding.
    """
    if prepared.decoded is None:
        return
    probabilities = np.fromfile(prepared.speech, dtype=np.uint8)
    part = None if run.span_start is None or run.span_end is None else (run.span_start, run.span_end)
    together = windows_per_batch(speed / work_of(stored_options(run.options).beam))
    cut = plan(probabilities, prepared.decoded.duration, together, part)
    found = prepared.decoded
    store_facts(run.job_id, container=found.container, codec=found.codec, picture=found.picture)
    stored = store_plan(
        run.pk,
        duration=prepared.decoded.duration,
        windows=[PlannedWindow(start=w.start, end=w.end, span=w.span, batch=w.batch) for w in cut],
        warnings=[*map(dict, notes), *({"code": w.code, "detail": w.detail} for w in found.warnings)],
    )
    if not stored:
        remove_samples(run)  # whoever ended the run has looked for them already
        raise Stopped


def _decode(run: Run, speech: Path, lock: Path, watch: Watch) -> media.Decoded:
    def should_stop() -> bool:
        with suppress(FileNotFoundError):  # who waits has taken it away, or the recording is gone
            os.utime(lock)
        return watch.should_stop()

    try:
        return media.decode(
            run.job.path,
            run.samples_path,
            speech,
            limit_seconds=settings.DURATION_LIMIT_SECONDS,
            should_stop=should_stop,
            require_sandbox=not settings.EMBEDDED,
        )
    except media.MediaRefused as refusal:
        raise refused(refusal.code, refusal.detail) from None
    except media.DecodeStopped:
        raise Stopped from None
    except FileNotFoundError:
        raise refused("missing_file", "The recording is no longer on the server. Upload it again.") from None


@contextmanager
def _one_decoder(path: Path, watch: Watch) -> Iterator[None]:
    """One process decodes a run at a time: spans on other workers wait for it instead of repeating it.

    While it decodes it touches the file. One that stands still is not waited for: it keeps its lock on a file that is
    taken away, and should it wake, it does what was done already.
    """
    touched, since = 0.0, time.monotonic()
    while (file := _locked(path)) is None:
        watch.wait()
        try:
            last = path.stat().st_mtime
        except FileNotFoundError:
            continue
        if last != touched:
            touched, since = last, time.monotonic()
        elif time.monotonic() - since > settings.HEARTBEAT_TIMEOUT_SECONDS:
            path.unlink(missing_ok=True)
    with file:
        yield
    # The file stays until the run ends: taken away here, who waits for it and who comes next would hold two locks.


def _locked(path: Path) -> IO[bytes] | None:
    """The file with its lock held, None where another process has it."""
    try:
        file = path.open("ab")
    except FileNotFoundError:  # the folder went with a deleted job
        raise Stopped from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
