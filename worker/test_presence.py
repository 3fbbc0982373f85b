"""The worker's row: what it says about the model, and what stays of it."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from jobs.models import Worker
from jobs.services.offers import Offer, live, offers
from worker.engine.base import Loaded
from worker.presence import Presence, live_workers, offered_speed

MakeWorker = Callable[..., Worker]
ENGLISH = Loaded("base.en", "0" * 64, "cpu", 5.0, english_only=True, translates=False)


@pytest.mark.django_db(transaction=True)  # the beat has a connection of its own
def test_a_worker_says_what_its_checkpoint_can_and_goodbye() -> None:
    presence = Presence(ENGLISH, slots=2, speed=lambda: 7.5)
    with presence.working(uuid4()):
        assert [worker.speed for worker in live()] == [7.5]
    assert offers() == [Offer("base.en", translates=False, english_only=True)]
    presence.end()
    assert not live_workers().exists()
    assert not live().exists()
    assert [offer.model for offer in offers()] == ["demo", "base.en"]  # the last known beside the default


def test_batches_are_sized_for_the_slowest_that_may_hear_them(make_worker: MakeWorker) -> None:
    make_worker("large", speed=2.0)
    make_worker("large", speed=3.0)
    make_worker("large", speed=1.0, seen_at=timezone.now() - timedelta(hours=1))
    make_worker("base", speed=50.0)
    assert offered_speed("large") == 2.0
    assert offered_speed("turbo") == 0.0
