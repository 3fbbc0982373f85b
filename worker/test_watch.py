"""Waiting activities: what ends them, and what must not."""

from collections.abc import Callable

import pytest
from django.conf import settings
from django.db import connection
from temporalio.exceptions import CancelledError
from temporalio.testing import ActivityEnvironment

from accounts.models import User
from jobs.models import Job, Run
from worker import watch
from worker.engine import slot
from worker.watch import Watch

MakeJob = Callable[..., Job]


def test_a_cancel_reaches_a_free_engine_within_ten_seconds() -> None:
    """By the settings as they come: to the row, to the next look at the child, to the end of its grace."""
    assert watch.ROW_SECONDS + 2 * slot.POLL_SECONDS + settings.CANCEL_GRACE_SECONDS <= 9  # a second for all else


@pytest.fixture
def run(alice: User, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(watch, "ROW_SECONDS", 0.0)
    return Run.objects.get(job=make_job(alice, state="running"))


def test_a_run_that_is_not_wanted_any_more_ends_the_wait(run: Run) -> None:
    here = ActivityEnvironment()
    assert not here.run(Watch(run.pk).should_stop)
    Run.objects.update(state="cancelling")
    assert here.run(Watch(run.pk).should_stop)


def test_a_worker_that_shuts_down_does_not_end_the_run(run: Run) -> None:
    here = ActivityEnvironment()
    here.cancel()
    with pytest.raises(CancelledError):
        here.run(Watch(run.pk).should_stop)


@pytest.mark.django_db(transaction=True)
def test_a_lost_session_is_replaced(run: Run) -> None:
    looking = ActivityEnvironment().run(lambda: Watch(run.pk))
    with connection.cursor() as cursor, pytest.raises(Exception, match=r"terminat|closed"):
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert looking._wanted()
    Run.objects.update(state="cancelling")
    assert not looking._wanted()
