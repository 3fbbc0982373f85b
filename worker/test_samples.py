"""One process decodes a run; one that stands still holds up nobody."""

import fcntl
import os
import time
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from worker.samples import _one_decoder
from worker.watch import Stopped, Watch


class Waiting:
    """Stands where an activity's watch does; `each` is what happens while one waits."""

    def __init__(self, each: Any) -> None:
        self.each, self.times = each, 0

    def wait(self) -> None:
        self.times += 1
        time.sleep(0.3)
        self.each(self.times)


def test_who_waits_for_a_decoder_at_work_gets_its_turn_and_no_sooner(tmp_path: Path, settings: Any) -> None:
    settings.HEARTBEAT_TIMEOUT_SECONDS = 1
    lock = tmp_path / f"{uuid4()}.lock"
    with lock.open("wb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)

        def each(times: int) -> None:
            os.utime(lock, (times, times))
            if times == 6:
                fcntl.flock(holder, fcntl.LOCK_UN)

        watch = Waiting(each)
        with _one_decoder(lock, cast(Watch, watch)):
            assert watch.times == 6
            assert os.path.samestat(lock.stat(), os.fstat(holder.fileno()))


def test_a_decoder_that_stands_still_is_not_waited_for(tmp_path: Path, settings: Any) -> None:
    settings.HEARTBEAT_TIMEOUT_SECONDS = 1
    lock = tmp_path / f"{uuid4()}.lock"
    with lock.open("wb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        watch = Waiting(lambda times: None)
        with _one_decoder(lock, cast(Watch, watch)), lock.open("rb") as third, pytest.raises(BlockingIOError):
            fcntl.flock(third, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert watch.times >= 3


def test_the_folder_of_a_deleted_recording_is_waited_for_by_nobody(tmp_path: Path) -> None:
    with pytest.raises(Stopped), _one_decoder(tmp_path / "gone" / "lock", cast(Watch, None)):
        pass
