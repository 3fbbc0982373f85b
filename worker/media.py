"""Uploaded recordings into samples: the parent's side of the decode child.

Nothing here looks at a byte of the recording, and nothing the child says is believed without a check: it may be owned
by the file it reads. So the sentences people see are written here, and the child only picks one.
"""

import os
import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from worker import landlock
from worker.leashed import ChildFailed, Leashed
from worker.refusals import REFUSALS
from worker.sentences import FIRST_PART, HOLES, SHORTER

SAMPLE_BYTES, RATE = 2, 16_000  # mono, signed 16 bit, little endian
FRAME_SAMPLES = 512  # one byte of speech probability for each
LOST_SECONDS = 0.1  # damage below this takes no word away
FULL_BYTES = 1 << 20  # a disk with less left was full for whoever wrote to it
SHORT_SECONDS, SHORT_SHARE = 1.0, 0.01  # how far sound may end before the stated length without a word about it


class MediaError(Exception):
    """No samples came out."""


class MediaRefused(MediaError):
    """The recording is the reason. `code`: not_media, no_audio, corrupt, too_long or empty; `detail`: a sentence."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code)
        self.code, self.detail = code, detail


class DecodeStopped(MediaError):
    """`should_stop` said so."""


class DiskFull(MediaError):
    """There was no room left for what was being written."""


class SandboxMissing(MediaError):
    """This machine cannot shut the child in, and the caller insists on it."""


@dataclass(frozen=True)
class Warning:
    """Something people should know about a recording that was read. `code`: partial."""

    code: str
    detail: str


@dataclass(frozen=True)
class Decoded:
    """Seconds of sound written, what was not right, and FFmpeg's names of container and codecs.

    `picture` is the codec of moving pictures, empty where there are none.
    """

    duration: float
    warnings: tuple[Warning, ...]
    container: str
    codec: str
    picture: str


def landlock_problem() -> str | None:
    """Why the decode child cannot be shut in on this machine, as a sentence; None when it can."""
    return landlock.problem()


def decode(
    source: Path,
    samples: Path,
    speech: Path,
    *,
    limit_seconds: float,
    require_sandbox: bool = True,
    on_progress: Callable[[float], object] = lambda _seconds: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Decoded:
    """Write the sound of `source` to `samples` (16 kHz mono s16le) and its speech probabilities to `speech`.

    `speech` holds one byte, 0..255, for each 512 samples; the last, short frame counts too.
    Both appear complete or not at all. `on_progress` gets seconds of sound so far, `should_stop` is asked, each at
    least every second. Raises MediaRefused, DecodeStopped, SandboxMissing, DiskFull; OSError of the files; ChildFailed
    when the fault is ours or the machine's, so that trying again may help. What an earlier call left behind is removed;
    should that one still be at it, it fails with ChildFailed.
    """
    if require_sandbox and (problem := landlock_problem()):
        raise SandboxMissing(problem)
    for left in (left for path in (samples, speech) for left in path.parent.glob(f"{path.name}.*.part")):
        left.unlink(missing_ok=True)
    parts = [path.with_name(f"{path.name}.{uuid4().hex}.part") for path in (samples, speech)]
    try:
        with ExitStack() as files:
            recording = files.enter_context(source.open("rb"))
            written = [files.enter_context(part.open("wb")) for part in parts]
            if os.fstat(recording.fileno()).st_size == 0:
                raise _refusal("empty", limit_seconds)
            leashed = files.enter_context(Leashed([recording, *written], limit_seconds))
            decoded = _accept(_follow(leashed, limit_seconds, on_progress, should_stop), written)
        _put_in_place(list(zip(parts, (samples, speech), strict=True)))
        return decoded
    except ChildFailed:
        # The child is not asked: it may be owned by the recording, and what is full is waited for without end.
        if shutil.disk_usage(samples.parent).free < FULL_BYTES:
            raise DiskFull from None
        raise
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def _put_in_place(written: Sequence[tuple[Path, Path]]) -> None:
    """Samples last: with them all is there."""
    try:
        for part, path in reversed(written):
            part.replace(path)
    except FileNotFoundError:
        raise ChildFailed("another call began anew, or the recording is gone") from None


def render(
    source: Path,
    target: Path,
    *,
    limit_seconds: float,
    require_sandbox: bool = True,
    should_stop: Callable[[], bool] = lambda: False,
) -> None:
    """Write the sound of `source` to `target` once more, in a form that browsers play (see `worker.rendition`).

    Times in it are those of `decode`. Arguments and exceptions are those of `decode` too. What an earlier call left
    behind that was killed is removed; FileNotFoundError also when another call did that to this one.
    """
    if require_sandbox and (problem := landlock_problem()):
        raise SandboxMissing(problem)
    for left in target.parent.glob(f"{target.name}.*.part"):
        left.unlink(missing_ok=True)
    part = target.with_name(f"{target.name}.{uuid4().hex}.part")
    try:
        with ExitStack() as files:
            recording = files.enter_context(source.open("rb"))
            written = files.enter_context(part.open("wb"))
            leashed = files.enter_context(Leashed([recording, written], limit_seconds, "render"))
            _follow(leashed, limit_seconds, lambda _seconds: None, should_stop)
            os.fsync(written.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _follow(
    leashed: Leashed,
    limit_seconds: float,
    on_progress: Callable[[float], object],
    should_stop: Callable[[], bool],
) -> dict[str, Any]:
    """The child's account of what it did."""
    for message in leashed.messages():
        if should_stop():
            raise DecodeStopped
        match message:
            case {"seconds": float() | int() as seconds}:
                on_progress(float(seconds))
            case {"refused": str() as reason} if reason in REFUSALS:
                raise _refusal(reason, limit_seconds)
            case {"done": dict() as account}:
                return account
    raise _refusal("crashed", limit_seconds)  # it ended without a last word


def _accept(account: dict[str, Any], written: Sequence[IO[bytes]]) -> Decoded:
    count = os.fstat(written[0].fileno()).st_size // SAMPLE_BYTES
    frames = os.fstat(written[1].fileno()).st_size
    if not count or frames != -(-count // FRAME_SAMPLES):
        raise ChildFailed(f"the decode child wrote {count} samples and {frames} frames")
    for file in written:
        os.fsync(file.fileno())
    duration = count / RATE
    names = (_name(account, key) for key in ("container", "codec", "picture"))
    return Decoded(duration, _warnings(account, duration), *names)


def _warnings(account: dict[str, Any], duration: float) -> tuple[Warning, ...]:
    stated, lost = account.get("declared") or 0.0, account.get("lost") or 0.0
    if stated > duration + max(SHORT_SECONDS, SHORT_SHARE * stated):
        return (Warning("partial", SHORTER.format(read=clock(duration), stated=clock(stated))),)
    if account.get("stopped"):
        return (Warning("partial", FIRST_PART.format(read=clock(duration))),)
    if lost >= LOST_SECONDS:
        return (Warning("partial", HOLES.format(lost=max(1, round(lost)))),)
    return ()


def _refusal(reason: str, limit_seconds: float) -> MediaRefused:
    code, sentence = REFUSALS[reason]
    return MediaRefused(code, sentence.format(limit=_length(limit_seconds)))


def _name(account: dict[str, Any], key: str) -> str:
    return re.sub(r"[^a-z0-9_]", "", str(account.get(key, "")))[:32]


def clock(seconds: float) -> str:
    """1:02:03 or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _length(seconds: float) -> str:
    """In units that are written alike in every language."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:g} s"
