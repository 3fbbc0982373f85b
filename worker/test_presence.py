"""The worker's rows: what they say about its models, and what stays of them."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

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


def test_batches_are_sized_for_the_slowest_that_may_hear_them(make_worker: MakeWorker) -> None:
    make_worker("large", speed=2.0)
    make_worker("large", speed=3.0)
    make_worker("large", speed=1.0, seen_at=timezone.now() - timedelta(hours=1))
    make_worker("base", speed=50.0)
    assert offered_speed("large") == 2.0
    assert offered_speed("turbo") == 0.0
