"""The worker's rows: what they say about its models, and what stays of them."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from jobs.live import WAKE_CHANNEL
from jobs.models import Worker
from jobs.services.offers import Offer, live, offers
from worker.engine.base import Loaded
from worker.presence import Presence, live_workers, offered_speed

MakeWorker = Callable[..., Worker]


@dataclass
class Model:
    """A model on offer, as a pool of engine slots says it."""

    loaded: Loaded
    slots: int
    latest: float

    def speed(self) -> float:
        return self.latest


ENGLISH = Loaded("base.en", "0" * 64, "cpu", 5.0, english_only=True, translates=False)


@pytest.mark.django_db(transaction=True)  # the beat has a connection of its own
def test_a_worker_says_what_its_checkpoint_can_and_goodbye() -> None:
    presence = Presence([Model(ENGLISH, 2, 7.5)])
    with presence.working(uuid4()):
        assert [worker.speed for worker in live()] == [7.5]
    assert offers() == [Offer("base.en", translates=False, english_only=True)]
    presence.end()
    assert not live_workers().exists()
    assert not live().exists()
    assert [offer.model for offer in offers()] == ["demo", "base.en"]  # the last known beside the default


@pytest.mark.django_db(transaction=True)
def test_a_worker_with_two_models_has_a_row_for_each_and_names_its_runs_in_both() -> None:
    run = uuid4()
    turbo = replace(ENGLISH, model="turbo", english_only=False)
    presence = Presence([Model(ENGLISH, 2, 7.5), Model(turbo, 1, 0.5)])
    with presence.working(run):
        rows = {row.model: (row.slots, row.speed, row.runs, row.pid) for row in live_workers()}
    assert rows == {"base.en": (2, 7.5, [str(run)], os.getpid()), "turbo": (1, 0.5, [str(run)], os.getpid())}
    presence.end()
    assert not live_workers().exists()


@pytest.mark.django_db(transaction=True)
def test_work_that_was_given_up_wakes_the_scheduler_once_nobody_holds_the_run() -> None:
    """Else a cancel would wait for its next regular look, up to five seconds."""
    presence = Presence([Model(ENGLISH, 1, 1.0)])
    run = uuid4()
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {WAKE_CHANNEL}")
    with presence.working(run):
        pass
    assert list(connection.connection.notifies(timeout=0.2)) == []
    with suppress(KeyError), presence.working(run):
        raise KeyError
    assert len(list(connection.connection.notifies(timeout=2, stop_after=1))) == 1
    assert not live_workers().filter(runs__contains=str(run)).exists()
    connection.close()
    presence.end()


def test_batches_are_sized_for_the_slowest_that_may_hear_them(make_worker: MakeWorker) -> None:
    make_worker("large", speed=2.0)
    make_worker("large", speed=3.0)
    make_worker("large", speed=1.0, seen_at=timezone.now() - timedelta(hours=1))
    make_worker("base", speed=50.0)
    assert offered_speed("large") == 2.0
    assert offered_speed("turbo") == 0.0
