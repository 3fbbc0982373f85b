"""What is sound is called sound, whatever came of it; what is on its way is not called wrong."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.db import connection

from accounts.models import User
from jobs.hearing import hear
from jobs.integrity.checks import MOUNTED, UNREADABLE, Check, Keys, Room, look
from jobs.integrity.stored import rooms
from jobs.integrity.worlds import World, begun, found, recording, world_of
from jobs.models import Job
from jobs.services.cancel import cancel, finish_cancel
from jobs.services.finish import fail, finish
from jobs.services.part import hear_part
from jobs.services.plan import PlannedWindow, store_plan
from jobs.services.retry import retry
from jobs.services.windows import HeardSegment, commit_windows

pytestmark = pytest.mark.django_db
NOBODY = 65534


@pytest.fixture
def world(alice: User, media: Path) -> World:
    return world_of(alice)


def test_a_sound_world_is_clean_and_all_of_it_is_looked_at(world: World) -> None:
    looked = look(rooms(deep=True, grace=0), 0)
    assert looked.faults == []
    assert looked.counts == {
        "recordings": 2,
        "transcriptions": 2,
        "uploads": 3,
        "folders": 2,
        "files of uploads": 1,
    }


def test_every_way_to_an_end_is_clean(world: World, alice: User) -> None:
    refused, cancelled, queued = recording(alice), recording(alice), recording(alice)
    fail(begun(refused).pk, reason="not_media", detail="This is no recording.")
    run = begun(cancelled)
    cancel(cancelled)
    assert found() == {}
    finish_cancel(run.pk)
    cancel(queued)
    assert found() == {}
    retry(Job.objects.get(pk=queued.pk))
    assert found() == {}


def test_parts_heard_again_are_clean_whatever_comes_of_them(world: World) -> None:
    for end in ("succeeded", "failed", "cancelled"):
        job = Job.objects.get(pk=world.done.pk)
        run = hear_part(job, 12.0, 14.0)
        assert found() == {}
        begun(job)
        if end == "failed":
            fail(run.pk, reason="poison", detail="It died.")
        elif end == "cancelled":
            cancel(Job.objects.get(pk=job.pk))
            finish_cancel(run.pk)
        else:
            store_plan(run.pk, duration=20.0, windows=[PlannedWindow(12.0, 14.0, 0, 0)], warnings=[])
            heard = [HeardSegment(12.0, 13.0, "Vier.", words=[[12.0, 13.0, "Vier.", 0.9]])]
            index = run.windows.to_hear().get().index
            assert commit_windows(run.pk, {index: heard})
            assert finish(run.pk, attempt=1, worker="test")
        assert found() == {}


def test_a_file_on_its_way_is_young(world: World) -> None:
    (world.half.path.parent / str(uuid4())).write_bytes(b"x")
    (world.done.folder.parent / str(uuid4())).mkdir()
    world.run.samples_path.write_bytes(b"x")
    (world.done.folder / "rendition.mp3.0.part").write_bytes(b"x")
    assert found(grace=60) == {}


@contextmanager
def closed(folder: Path) -> Iterator[None]:
    """Nobody may read it. Modes do not keep root out, so that gives up its rights meanwhile."""
    mode, user = folder.stat().st_mode, os.geteuid()
    folder.chmod(0)
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(mode)


def test_a_media_folder_that_cannot_be_read_is_a_finding_with_its_remedy(world: World, media: Path) -> None:
    assert found() == {}
    with closed(media):
        faults = look(rooms(deep=True, grace=0), 0).faults
    assert {fault.check.code: list(fault.ids) for fault in faults if fault.ids} == {
        "file_missing": sorted([world.done.pk, world.going.pk]),
        "upload_short": [world.half.pk],
    }
    assert {fault.about for fault in faults if fault.check is UNREADABLE} == {"folders", "files of uploads"}
    assert all(fault.check.mend.startswith(MOUNTED) for fault in faults)
    assert found() == {}


def test_what_moved_between_two_looks_is_not_wrong() -> None:
    keys = sorted([uuid4(), uuid4()])
    looks: list[Keys] = []

    def moving(some: Keys) -> Iterator[UUID]:
        looks.append(some)
        yield from keys if len(looks) == 1 else keys[:1]

    check = Check("moving", "It moves.", "Wait.", moving)
    looked = look([Room("things", lambda: keys, [check])], 0)
    assert [fault.ids for fault in looked.faults] == [keys[:1]]


def test_questions_do_not_grow_with_the_recordings(world: World, alice: User) -> None:
    def asked() -> int:
        with connection.execute_wrapper(count):
            counted.clear()
            found()
        return len(counted)

    counted: list[str] = []

    def count(execute: Callable[..., object], sql: str, *rest: object) -> object:
        counted.append(sql)
        return execute(sql, *rest)

    few = asked()
    for _ in range(5):
        hear(begun(recording(alice)))
    assert asked() == few
