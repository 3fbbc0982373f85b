"""One run is heard in one mode, and one name stands for one mode."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from django.utils import timezone
from temporalio.exceptions import ApplicationError

from accounts.models import User
from jobs.models import Job, Run, Worker
from jobs.services.plan import store_engine
from worker.activities import Activities
from worker.engine.base import EXACT, FAST, Loaded
from worker.engine.slots import EngineSettings, SlotPool
from worker.management.commands.worker import _check_mode

pytestmark = pytest.mark.django_db
WEIGHTS = "a" * 64


@pytest.fixture
def run(alice: User, make_job: Callable[..., Job]) -> Run:
    run = make_job(alice, state="running").current_run
    assert run is not None
    return run


def begin_with(run: Run, sha256: str, mode: str) -> str:
    """What comes of it when a worker with these begins with the run: "", or the code of the refusal."""
    pool = SlotPool(EngineSettings(Path("demo.pt"), "demo", 1, 1, 1, mode=mode))
    pool.loaded = Loaded("demo", sha256, "cpu", 1.0, english_only=False, translates=True, mode=mode)
    presence: Any = None  # never asked here
    try:
        Activities(pool, presence)._check_engine(run)
    except ApplicationError as refusal:
        return f"{refusal.type} {refusal.non_retryable}"
    finally:
        pool.close()
    return ""


def test_the_first_to_hear_it_decides(run: Run) -> None:
    assert begin_with(run, WEIGHTS, EXACT) == ""
    assert begin_with(run, WEIGHTS, EXACT) == ""
    assert begin_with(run, WEIGHTS, FAST) == "mode_changed True"
    assert begin_with(run, "b" * 64, EXACT) == "model_changed True"
    run.refresh_from_db()
    assert (run.model_sha256, run.mode) == (WEIGHTS, EXACT)


def test_a_run_from_before_modes_were_kept_goes_on(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(model_sha256=WEIGHTS)
    assert not store_engine(run.pk, "b" * 64, FAST)
    assert store_engine(run.pk, WEIGHTS, FAST)
    run.refresh_from_db()
    assert run.mode == FAST


def test_a_worker_does_not_start_beside_one_of_another_mode(make_worker: Callable[..., Worker], settings: Any) -> None:
    settings.ENGINE_MODE = EXACT
    other = make_worker("base", mode=FAST)
    make_worker("small", mode=EXACT)
    make_worker("tiny")  # of a version that did not say
    _check_mode(["small", "tiny"])
    with pytest.raises(CommandError, match="base-exact=FILE"):
        _check_mode(["base", "small"])
    for gone in ({"ended_at": timezone.now()}, {"ended_at": None, "seen_at": timezone.now() - timedelta(minutes=1)}):
        Worker.objects.filter(pk=other.pk).update(**gone)
        _check_mode(["base", "small"])
