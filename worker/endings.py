"""How an activity ends: those that are nobody's fault are said to the workflow and not logged as errors."""

import errno

from django.db import InterfaceError, InternalError, OperationalError
from django.utils.translation import gettext_noop
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from worker.engine.base import EngineRefused
from worker.media import DiskFull

INTERNAL = "internal"
NOT_RUNNING = "the run is not running any more"  # to the workflow alone
# A failure nobody foresaw is final from this attempt on. Temporal counts deaths of a worker too, but such a death
# raises nothing, so it ends no run by itself.
ATTEMPTS_ALLOWED = 5


class EngineAway(Exception):
    """This worker cannot load its model now: said by its code, and as little about the recording as a dead worker."""


# They come back, so they are waited for. Other errors of the database are about what was written: no wait mends them.
WAITED_FOR = (EngineAway, DiskFull, OperationalError, InterfaceError, InternalError)
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
CHOSEN_WRONG = frozenset({"language_unknown", "cannot_translate"})  # the person can do something about these


def refused(code: str, detail: str) -> ApplicationError:
    """The end of the run, with a code and a sentence of ours (no file name, no text: histories are kept)."""
    return ApplicationError(detail, type=code, non_retryable=True, category=ApplicationErrorCategory.BENIGN)


def stopped() -> ApplicationError:
    """The run was cancelled, deleted or has ended: the workflow ends without another word."""
    return refused("stopped", NOT_RUNNING)


def leaving() -> ApplicationError:
    """This worker stops: another one goes on with the activity."""
    return ApplicationError("the worker is stopping", type="leaving", category=ApplicationErrorCategory.BENIGN)


def scanner_away() -> ApplicationError:
    """The virus scanner does not answer, which says nothing about the recording: tried again without end."""
    return ApplicationError("no virus scanner", type="scanner_away", category=ApplicationErrorCategory.BENIGN)


def failed(error: Exception, attempt: int) -> ApplicationError:
    """What was not foreseen gets a few tries and then an end."""
    if isinstance(error, EngineRefused) and error.code in CHOSEN_WRONG:
        return refused(error.code, error.detail)
    return ApplicationError(
        gettext_noop("Something failed on our side. Run it again; if it fails again, tell your operator."),
        type=INTERNAL,
        non_retryable=attempt >= ATTEMPTS_ALLOWED and not _comes_back(error),
    )


def _comes_back(error: Exception) -> bool:
    return isinstance(error, WAITED_FOR) or (isinstance(error, OSError) and error.errno in FULL)
