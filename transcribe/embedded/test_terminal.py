"""Following recordings from a terminal while other things happen to them."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from accounts.models import User
from jobs.models import Job, Run
from jobs.services.delete import delete
from transcribe.embedded.terminal import Item, cancel_all, follow

MakeJob = Callable[..., Job]


@pytest.fixture
def items(alice: User, make_job: MakeJob) -> list[Item]:
    """The first is deleted by its owner, in a browser; the other goes on."""
    deleted, other = (Item(Path(f"{name}.mp3"), make_job(alice)) for name in ("deleted", "other"))
    assert deleted.job
    delete(Job.objects.select_related("current_run").get(pk=deleted.job.pk))
    return [deleted, other]


def test_a_recording_deleted_meanwhile_is_named_and_the_others_are_waited_for(items: list[Item]) -> None:
    Run.objects.update(state="succeeded")
    ended: list[str] = []
    follow(items, ended=lambda item, run: ended.append(item.path.name), screen=io.StringIO())
    assert ended == ["other.mp3"]
    assert [bool(item.problem) for item in items] == [True, False]


def test_ctrl_c_cancels_the_others(items: list[Item]) -> None:
    cancel_all(items)
    assert [run.state for run in Run.objects.all()] == ["cancelled"]
