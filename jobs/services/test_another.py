"""Two who ask at the same moment: the second learns of the first one's run, and waits where it holds up nobody."""

import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
from django.db import connection, transaction

from accounts.models import User
from jobs.errors import Conflict
from jobs.models import Job
from jobs.services.locks import lock_runs
from jobs.services.retry import retry
from transcribe.testing import wait_for_a_lock

MakeJob = Callable[..., Job]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def job(alice: User, make_job: MakeJob) -> Job:
    return make_job(alice, state="succeeded")


def again_elsewhere(job: Job) -> threading.Thread:
    """Asks for another run on a connection of its own."""

    def ask() -> None:
        try:
            with suppress(Conflict):
                retry(job)
        finally:
            connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def test_who_waited_for_the_first_one_makes_no_run(job: Job) -> None:
    with transaction.atomic():
        retry(job)
        second = again_elsewhere(job)
        wait_for_a_lock()
    second.join(20)
    assert job.runs.count() == 2


def test_who_waits_for_the_runs_does_not_hold_the_recording(job: Job) -> None:
    """A deletion takes them in that order: the other one would be a deadlock."""
    with transaction.atomic():
        lock_runs(job.pk)
        second = again_elsewhere(job)
        wait_for_a_lock()
        assert Job.objects.select_for_update(nowait=True).get(pk=job.pk) == job
    second.join(20)
    assert job.runs.count() == 2
