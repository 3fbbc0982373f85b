"""The ends of an activity that are nobody's fault: said to the workflow, not logged as errors."""

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory


def refused(code: str, detail: str) -> ApplicationError:
    """The end of the run, with a code and a sentence of ours (no file name, no text: histories are kept)."""
    return ApplicationError(detail, type=code, non_retryable=True, category=ApplicationErrorCategory.BENIGN)


def stopped() -> ApplicationError:
    """The run was cancelled, deleted or has ended: the workflow ends without another word."""
    return refused("stopped", "the run is not running any more")


def leaving() -> ApplicationError:
    """This worker stops: another one goes on with the activity."""
    return ApplicationError("the worker is stopping", type="leaving", category=ApplicationErrorCategory.BENIGN)
