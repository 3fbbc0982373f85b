"""Named places where a fault test ends, freezes or fails this process: the instants that chance does not hit.

`FAILPOINTS` names a folder; a file in it arms a place for one time, in whatever process comes by first. In production
nothing starts with it (`transcribe.checks`). Unset, which is always but in those tests, a place costs one comparison.
"""

import logging
import signal
import threading
from enum import StrEnum
from pathlib import Path

from django.conf import settings

logger = logging.getLogger(__name__)


class Point(StrEnum):
    """In the order of a recording's life. Behind `_left`: the row says it, the files are still there."""

    RECORDING_COMMITTED = "recording_committed"  # web: its row is there, nobody was told
    BEFORE_WORKFLOW = "before_workflow"  # the scheduler has chosen the run
    AFTER_WORKFLOW = "after_workflow"  # Temporal has it, the row does not say so
    DECODING = "decoding"  # the lock of the only decoder is held
    DECODED = "decoded"  # no plan is stored
    PLANNED = "planned"  # the inspection is not reported
    BEFORE_SPAN = "before_span"
    HEARD = "heard"  # the engine has answered, nothing is written
    TEXT_WRITTEN = "text_written"  # and not committed
    WINDOWS_COMMITTED = "windows_committed"  # and not reported
    BEFORE_FINISH = "before_finish"  # all windows are done
    SUCCEEDED_LEFT = "succeeded_left"
    FINISHED = "finished"  # and not reported
    FAILED_LEFT = "failed_left"
    CANCELLED_LEFT = "cancelled_left"
    DELETED_LEFT = "deleted_left"
    EXPIRED_LEFT = "expired_left"


class Action(StrEnum):
    KILL = "kill"  # SIGKILL to this process
    FREEZE = "freeze"  # SIGSTOP; it goes on from here when it is continued
    RAISE = "raise"


class Reached(Exception):
    """What an armed place raises that is to raise."""


def arm(folder: Path, point: Point, *, nth: int = 1, action: Action = Action.KILL) -> None:
    """From now on the `nth` pass acts, once, counted over all processes. `is_armed` tells whether it has."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{point}.{nth}.{action}").touch()


def is_armed(folder: Path, point: Point) -> bool:
    return any(folder.glob(f"{point}.*"))


def reach(point: Point) -> None:
    """This place. Raises Reached where it was armed so."""
    if settings.FAILPOINTS:
        _pass(Path(settings.FAILPOINTS), point)


def _pass(folder: Path, point: Point) -> None:
    """Who renames or removes the file has this pass; who comes too late looks again."""
    while armed := next(folder.glob(f"{point}.*"), None):
        _, left, action = armed.name.split(".")
        try:
            if int(left) > 1:
                armed.rename(folder / f"{point}.{int(left) - 1}.{action}")
                return
            armed.unlink()
        except FileNotFoundError:
            continue
        _act(point, Action(action))
        return


def _act(point: Point, action: Action) -> None:
    logger.warning("failpoint %s: %s", point, action)
    if action is Action.RAISE:
        raise Reached(point)
    # To this thread: sent to the process, another thread may take it up, and this one has gone on by then.
    signal.pthread_kill(threading.get_ident(), signal.SIGKILL if action is Action.KILL else signal.SIGSTOP)
