"""One stack for all fault tests: short limits of time, places in the code that can be armed, disks that can be full."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from transcribe.drill import Drill, long_recording
from transcribe.embedded import places
from transcribe.faults.disks import RECORDINGS, ROWS, apart, mount, unmount

MINUTES = 30
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
