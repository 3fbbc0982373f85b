"""The decode child as a process: what it holds, how much, and that it ends when it must."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from worker import landlock, leashed, media
from worker.fixtures import encode, recording

ROOT = Path(__file__).resolve().parent.parent


def silence(minutes: int) -> bytes:
    return encode(np.zeros((8000 * 60 * minutes, 1), np.int16), "flac", "flac", 8000)


@pytest.fixture(scope="module")
def two_hours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Long enough that a test can act in the middle of it; none reads it to its end."""
    path = tmp_path_factory.mktemp("long") / "upload"
    path.write_bytes(silence(120))
    return path


def read(
    source: Path,
    folder: Path,
    on_progress: Callable[[float], object] = float,
    should_stop: Callable[[], bool] = lambda: False,
) -> media.Decoded:
    samples, speech = folder / "pcm", folder / "speech"
    return media.decode(source, samples, speech, limit_seconds=86_400, on_progress=on_progress, should_stop=should_stop)


def child() -> int:
    """The decode child this thread started; the database of the tests may be a child as well."""
    pids = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
    [pid] = [int(pid) for pid in pids if b"worker.decode" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return pid


def is_gone(pid: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


def comes_true(question: Callable[[], bool]) -> bool:
    """Asked until it is, at most for half a minute."""
    for _ in range(600):
        if question():
            return True
        time.sleep(0.05)
    return False


def test_progress_grows_up_to_the_end(tmp_path: Path) -> None:
    source, heard = tmp_path / "upload", list[float]()
    source.write_bytes(silence(minutes := 40))  # ten are decoded in a second, and progress is told twice in it
    assert read(source, tmp_path, on_progress=heard.append).duration == minutes * 60
    assert len(heard) > 1
    assert heard == sorted(heard)
    assert 0 < heard[0] < heard[-1] <= minutes * 60


def test_stopping_kills_the_child_and_leaves_nothing(two_hours: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    with pytest.raises(media.DecodeStopped):
        read(two_hours, tmp_path, on_progress=lambda _: seen.append(child()), should_stop=lambda: len(seen) > 1)
    assert is_gone(seen[0])
    assert list(tmp_path.iterdir()) == []


def test_a_failure_of_the_caller_kills_the_child_too(two_hours: Path, tmp_path: Path) -> None:
    seen: list[int] = []

    def fail(_: float) -> None:
        seen.append(child())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        read(two_hours, tmp_path, on_progress=fail)
    assert is_gone(seen[0])
    assert list(tmp_path.iterdir()) == []


def test_a_child_that_stalls_is_killed(two_hours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frozen: list[int] = []

    def freeze(_: float) -> None:
        frozen.append(child())
        os.kill(frozen[0], signal.SIGSTOP)
        monkeypatch.setattr(leashed, "STALL_SECONDS", 0.5)  # only now: starting takes longer than that

    with pytest.raises(media.MediaRefused, match="corrupt") as caught:
        read(two_hours, tmp_path, on_progress=freeze)
    assert "halt" in caught.value.detail
    assert is_gone(frozen[0])
    assert list(tmp_path.iterdir()) == []


def test_time_in_which_nobody_looked_is_not_held_against_the_child(
    two_hours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of us frozen for a while, as a paused container is: the recording is not to blame, and must be kept."""
    frozen: list[int] = []
    looks: list[bool] = []

    def freeze(_: float) -> None:
        if frozen:
            raise EnoughSeen
        frozen.append(child())
        os.kill(frozen[0], signal.SIGSTOP)
        monkeypatch.setattr(leashed, "STALL_SECONDS", 3.0)
        monkeypatch.setattr(leashed, "LONGEST_STEP", 0.6)

    def freeze_too() -> bool:
        looks.extend([True] if frozen else [])
        if len(looks) == 2:  # the first may still have had something to read
            time.sleep(4)
            os.kill(frozen[0], signal.SIGCONT)
        return False

    with pytest.raises(EnoughSeen):
        read(two_hours, tmp_path, on_progress=freeze, should_stop=freeze_too)


class EnoughSeen(Exception):
    """The recording was read on."""


@pytest.mark.parametrize(
    ("how", "ends_as"), [(signal.SIGSEGV, media.MediaRefused), (signal.SIGKILL, leashed.ChildFailed)]
)
def test_a_child_that_dies(two_hours: Path, tmp_path: Path, how: signal.Signals, ends_as: type[Exception]) -> None:
    with pytest.raises(ends_as):  # a crash is the recording's doing; a kill from outside is not, and may be tried again
        read(two_hours, tmp_path, on_progress=lambda _: os.kill(child(), how))
    assert list(tmp_path.iterdir()) == []


def test_the_child_dies_with_its_parent(two_hours: Path, tmp_path: Path) -> None:
    code = (
        "import sys, os; from pathlib import Path; from worker.test_leashed import read, child\n"
        "read(Path(sys.argv[1]), Path(sys.argv[2]), on_progress=lambda _: print(child(), flush=True))"
    )
    words = [sys.executable, "-c", code, str(two_hours), str(tmp_path)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert not is_gone(pid)
        parent.kill()
    assert comes_true(lambda: is_gone(pid))


def test_the_child_holds_its_three_files_and_nothing_else(two_hours: Path, tmp_path: Path) -> None:
    seen: dict[str, object] = {}

    def look(_: float) -> None:
        here = Path(f"/proc/{child()}")
        lines = (here / "status").read_text().splitlines()
        seen["status"] = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        seen["environment"] = (here / "environ").read_bytes().split(b"\0")[:-1]
        seen["folder"] = list((here / "cwd").iterdir())
        files = {os.readlink(link) for link in (here / "fd").iterdir()}
        seen["files"] = {name for name in files if not name.startswith(("pipe:", "/dev/null", "/tmp/#", "/proc/"))}

    with pytest.raises(media.DecodeStopped):
        read(two_hours, tmp_path, on_progress=look, should_stop=lambda: "files" in seen)
    status = seen["status"]
    assert isinstance(status, dict)
    assert (status["NoNewPrivs"], status["Seccomp"], status["Threads"]) == ("1", "2", "1")
    assert seen["environment"] == [b"OPENBLAS_NUM_THREADS=1"]
    assert seen["folder"] == []
    parts = {re.sub(r"\.[0-9a-f]{32}\.part$", "", name) for name in cast(set[str], seen["files"])}
    assert parts == {str(two_hours), str(tmp_path / "pcm"), str(tmp_path / "speech")}


def test_one_that_was_overtaken_fails_and_leaves_what_the_other_made(two_hours: Path, tmp_path: Path) -> None:
    """It stood still meanwhile: another call began anew and is through. Its own files went with that."""
    short = tmp_path / "short"
    short.write_bytes(silence(1))
    made: list[media.Decoded] = []

    def overtake(_: float) -> None:
        if not made:
            made.append(read(short, tmp_path))

    with pytest.raises(leashed.ChildFailed, match="began anew"):
        read(two_hours, tmp_path, on_progress=overtake)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pcm", "short", "speech"]
    assert (tmp_path / "pcm").stat().st_size == 60 * media.RATE * media.SAMPLE_BYTES


def test_no_sandbox_no_decode_where_it_is_required(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "upload"
    source.write_bytes(recording("wav", 1.0))
    monkeypatch.setattr(landlock, "supported", lambda: 0)
    assert "Landlock" in (media.landlock_problem() or "")
    with pytest.raises(media.SandboxMissing, match="Landlock"):
        read(source, tmp_path)
    decoded = media.decode(source, tmp_path / "a", tmp_path / "b", limit_seconds=60, require_sandbox=False)
    assert decoded.duration == 1.0


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    peaks = [peak(tmp_path, minutes) for minutes in (2, 20)]
    print(f"peak memory of the decode child: {peaks[0] >> 20} MiB for 2 minutes, {peaks[1] >> 20} MiB for 20")
    assert peaks[1] < peaks[0] * 1.1
    assert peaks[1] < 200 << 20


def peak(folder: Path, minutes: int) -> int:
    source = folder / "upload"
    source.write_bytes(silence(minutes))
    with (
        source.open("rb") as recorded,
        (folder / "a").open("wb") as samples,
        (folder / "b").open("wb") as speech,
        leashed.Leashed([recorded, samples, speech], 86_400) as held,
    ):
        last = [message for message in held.messages() if message][-1]
    return int(last["done"]["memory"])


def test_too_little_memory_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "upload"
    source.write_bytes(recording("mp3", 60.0))
    monkeypatch.setattr(leashed, "MEMORY", 64 << 20)  # less than the loaded child holds already
    with pytest.raises(media.MediaRefused, match="corrupt"):
        read(source, tmp_path)
