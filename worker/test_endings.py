"""What ends a run, what is tried a few times, and what is waited for without end."""

import errno
from typing import cast
from uuid import uuid4

import pytest
from django.db import DataError, IntegrityError, OperationalError

from worker.activities import warm
from worker.endings import ATTEMPTS_ALLOWED, EngineAway, failed
from worker.engine.base import EngineRefused, Loaded
from worker.engine.process import EngineProcess
from worker.engine.slots import EngineSettings, Slot
from worker.media import DiskFull
from worker.watch import Watch

REFUSED = EngineRefused("engine_failed", "The engine failed.")


@pytest.mark.parametrize(
    "error", [OperationalError(), EngineAway("engine_not_loaded"), DiskFull(), OSError(errno.ENOSPC, "no room")]
)
def test_what_comes_back_is_waited_for(error: Exception) -> None:
    assert not failed(error, attempt=1000).non_retryable


@pytest.mark.parametrize("error", [ZeroDivisionError(), DataError(), IntegrityError(), REFUSED, OSError(errno.EIO, "")])
def test_what_waiting_does_not_mend_ends_after_some_tries(error: Exception) -> None:
    assert not failed(error, ATTEMPTS_ALLOWED - 1).non_retryable
    last = failed(error, ATTEMPTS_ALLOWED)
    assert (last.non_retryable, last.type) == (True, "internal")


def test_a_language_the_model_does_not_know_is_said_at_once() -> None:
    ending = failed(EngineRefused("language_unknown", "This model knows English only."), attempt=1)
    assert (ending.non_retryable, ending.type, ending.message) == (
        True,
        "language_unknown",
        "This model knows English only.",
    )


class NoMemory:
    """A slot's home on a machine that starts no process."""

    settings = cast(EngineSettings, None)

    def launch(self, device: str) -> EngineProcess:
        raise EngineRefused("engine_not_loaded", "The engine could not be started: no memory.")

    def discard(self, child: EngineProcess) -> None: ...

    def accept(self, loaded: Loaded) -> None: ...

    def note(self, heard: float, took: float) -> None: ...

    def speed(self) -> float:
        return 1.0

    def ends_soon(self, slot: Slot) -> None: ...


def test_an_engine_that_cannot_be_loaded_says_nothing_about_the_run() -> None:
    with pytest.raises(EngineAway, match="engine_not_loaded"):
        warm(Slot(NoMemory(), "cpu"), Watch(uuid4()))
