"""One stack for all fault tests: short limits of time, places in the code that can be armed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from transcribe.drill import Drill, long_recording
from transcribe.embedded import places

MINUTES = 60
SHORT_TIMEOUTS = {
    "HEARTBEAT_TIMEOUT_SECONDS": "5",
    "REPAIR_SECONDS": "5",
    "WORKER_BEAT_SECONDS": "2",
    "DATABASE_TRANSACTION_SECONDS": "5",
}


@pytest.fixture(scope="package")
def drill() -> Iterator[Drill]:
    with pytest.MonkeyPatch.context() as patch:
        data = places.scratch()
        for name, value in {**SHORT_TIMEOUTS, "FAILPOINTS": str(data / "failpoints")}.items():
            patch.setenv(name, value)
        drill = Drill(data)
        drill.start()
        yield drill
        drill.stop()


@pytest.fixture(scope="package")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return long_recording(tmp_path_factory.mktemp("long") / "long.mp3", MINUTES)
