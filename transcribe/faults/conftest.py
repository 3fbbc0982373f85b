"""One stack for all fault tests: short limits of time, places in the code that can be armed, disks that can be full."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from transcribe.drill import SAMPLES, Drill, long_recording
from transcribe.embedded import places, supervise
from transcribe.faults.disks import RECORDINGS, ROWS, apart, mount, unmount

MINUTES = 12
SETTINGS = {
    "HEARTBEAT_TIMEOUT_SECONDS": "5",
    "REPAIR_SECONDS": "5",
    "WORKER_BEAT_SECONDS": "2",
    "DATABASE_TRANSACTION_SECONDS": "5",
    "DISK_RESERVE_BYTES": "1048576",  # so that a disk can be full for those who were let in
}


@pytest.fixture(scope="package")
def lines() -> list[str]:
    """What the stack and its processes said."""
    return []


@pytest.fixture(scope="package")
def drill(lines: list[str]) -> Iterator[Drill]:
    folder = places.scratch()
    data = folder / "stack"
    with pytest.MonkeyPatch.context() as patch, ExitStack() as after:
        for name, value in {**SETTINGS, "FAILPOINTS": str(folder / "failpoints")}.items():
            patch.setenv(name, value)
        patch.setattr(supervise, "FIRST_DELAY", 0.0)  # what was killed starts again at once, however often
        apart()
        for disk, size in ((data, ROWS), (data / "media", RECORDINGS)):
            if mount(disk, size):
                after.callback(unmount, disk)

        def say(line: str) -> None:
            print(line)
            lines.append(line)

        drill = Drill(data, say=say)
        drill.start()
        after.callback(drill.stop)
        yield drill


@pytest.fixture(scope="package")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return long_recording(tmp_path_factory.mktemp("long") / "long.mp3", MINUTES)


@pytest.fixture(scope="package")
def minute(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """German, for what need only come to its end: three windows of one batch."""
    whole = (SAMPLES / "german.mp3").read_bytes()
    short = tmp_path_factory.mktemp("short") / "minute.mp3"
    short.write_bytes(whole[: len(whole) // 5])
    return short


@pytest.fixture(scope="package")
def calm(drill: Drill) -> str:
    """A run of the English sample that nothing disturbed."""
    job = drill.upload(SAMPLES / "english.mp3")
    assert drill.wait_for_end(job) == ("succeeded", "")
    return job
