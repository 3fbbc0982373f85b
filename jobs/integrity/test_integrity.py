"""What is sound is called sound, and each kind of damage by its name and no other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import User
from jobs.hearing import hear
from jobs.integrity.checks import Check, Keys, Room, look
from jobs.integrity.stored import rooms
from jobs.models import Job, Run, RunEvent, Segment, Upload, Window
from jobs.services.begin import begin
from jobs.services.cancel import cancel, finish_cancel
from jobs.services.finish import fail, finish
from jobs.services.options import Options
from jobs.services.part import hear_part
from jobs.services.plan import PlannedWindow, store_plan
from jobs.services.retry import retry
from jobs.services.windows import HeardSegment, commit_windows
from jobs.uploads import resume, store

pytestmark = pytest.mark.django_db


@dataclass
class World:
    """A recording with its transcript, one under way, and an upload that waits for its rest."""

    done: Job
    going: Job
    half: Upload

    @property
    def run(self) -> Run:
        return Run.objects.get(job=self.done, number=1)

    @property
    def windows(self) -> list[Window]:
        return list(self.run.windows.order_by("index"))


@pytest.fixture
def world(alice: User, media: Path) -> World:
    done, going = recording(alice), recording(alice)
    hear(begun(done))
    begun(going)
    writer = store.begin(alice, "half.mp3", length=10)
    writer.append(b"half")
    resume.settle(writer)
    writer.close()
    return World(done, going, writer.upload)


def recording(owner: User) -> Job:
    writer = store.begin(owner, "talk.mp3")
    writer.append(b"sound")
    job = store.complete(writer, Options())
    writer.close()
    return job


def begun(job: Job) -> Run:
    run = Run.objects.get(job=job, state="queued")
    assert begin(run.pk, attempt=1, worker="test")
    return run


def found(*, deep: bool = True, grace: float = 0) -> dict[str, list[object]]:
    return {fault.check.code: list(fault.ids) for fault in look(rooms(deep=deep, grace=grace), 0).faults}


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


def stray_file(world: World) -> None:
    (world.half.path.parent / str(uuid4())).write_bytes(b"x")


def stray_folder(world: World) -> None:
    (world.done.folder.parent / str(uuid4())).mkdir()


def other_job_current(world: World) -> None:
    Job.objects.filter(pk=world.done.pk).update(current_run=Run.objects.get(job=world.going))


def another_run(world: World, number: int, state: str) -> Run:
    run = Run.objects.create(job=world.done, number=number, model="demo", state=state, finished_at=timezone.now())
    Run.objects.filter(pk=run.pk).update(started_at=timezone.now())
    RunEvent.objects.create(run=run, state=state)
    return run


def second_open(world: World) -> None:
    run = Run.objects.create(job=world.going, number=2, model="demo")
    RunEvent.objects.create(run=run, state="queued")
    Job.objects.filter(pk=world.going.pk).update(current_run=run)


def skipped_number(world: World) -> None:
    Job.objects.filter(pk=world.done.pk).update(current_run=another_run(world, 3, "succeeded"))


def old_current(world: World) -> None:
    another_run(world, 2, "succeeded")


def runs(world: World, **fields: object) -> None:
    Run.objects.filter(pk=world.run.pk).update(**fields)


def long_cancel(world: World) -> None:
    cancel(Job.objects.get(pk=world.going.pk))
    RunEvent.objects.update(at=timezone.now() - timedelta(hours=1))


def ended(world: World, **fields: object) -> None:
    """The run as one that failed."""
    RunEvent.objects.create(run=world.run, state="failed")
    runs(world, **{"state": "failed", "reason": "internal", "detail": "It failed.", **fields})


def other_parent(world: World) -> None:
    parent = another_run(world, 2, "succeeded")
    Job.objects.filter(pk=world.done.pk).update(current_run=parent)
    Run.objects.filter(pk=parent.pk).update(parent=parent, span_start=1.0, span_end=2.0)


def across_the_edge(world: World) -> None:
    runs(world, span_start=5.0, span_end=20.0)


def heard_twice(world: World) -> None:
    last = Segment.objects.filter(window=world.windows[0]).latest("index")
    last.pk, last.index = None, last.index + 1
    last.save(force_insert=True)


def undone_window(world: World) -> None:
    """Of a run under way, so that only its text is wrong."""
    run = Run.objects.get(job=world.going)
    window = Window.objects.create(run=run, index=0, span=0, batch=0, start=0, end=10)
    Segment.objects.create(run=run, window=window, index=0, start=1, end=2, text="?")


def nobody_heard(world: World) -> None:
    Window.objects.create(run=world.run, index=2, span=1, batch=1, start=20, end=20.5)


def astray(world: World) -> None:
    Segment.objects.filter(window=world.windows[1]).update(run=Run.objects.get(job=world.going))


def update_window(nth: int, **fields: object) -> Callable[[World], None]:
    return lambda world: void(Window.objects.filter(run=world.run, index=nth).update(**fields))


def update_segment(**fields: object) -> Callable[[World], None]:
    return lambda world: void(Segment.objects.filter(window=world.windows[1]).update(**fields))


def update_run(**fields: object) -> Callable[[World], None]:
    return lambda world: runs(world, **fields)


def update_job(**fields: object) -> Callable[[World], None]:
    return lambda world: void(Job.objects.filter(pk=world.done.pk).update(**fields))


def update_half(**fields: object) -> Callable[[World], None]:
    return lambda world: void(Upload.objects.filter(pk=world.half.pk).update(**fields))


def void(_: object) -> None:
    return None


DAMAGE: dict[str, tuple[str, Callable[[World], object]]] = {
    "a recording's file is gone": ("file_missing", lambda w: w.done.path.unlink()),
    "the media volume is not mounted": ("file_missing", lambda w: w.done.folder.rename(w.done.folder.parent / "away")),
    "a recording's file is cut": ("file_size", lambda w: w.done.path.write_bytes(b"soun")),
    "a byte of it has changed": ("file_changed", lambda w: w.done.path.write_bytes(b"sounD")),
    "refused media was kept": ("refused_kept", lambda w: ended(w, reason="not_media")),
    "the playable form is gone": ("rendition_missing", update_job(rendition="ready")),
    "nobody wanted that playable form": ("rendition_left", lambda w: w.done.rendition_path.write_bytes(b"x")),
    "a file without an upload": ("file_without_row", stray_file),
    "a folder without a recording": ("folder_without_row", stray_folder),
    "samples of a run that ended": ("samples_left", lambda w: w.run.samples_path.write_bytes(b"x")),
    "samples of a run that never was": (
        "samples_left",
        lambda w: (w.going.folder / f"{uuid4()}.s16.part").write_bytes(b"x"),
    ),
    "bytes of an upload are lost": ("upload_short", lambda w: w.half.path.write_bytes(b"hal")),
    "all bytes of an upload are lost": ("upload_short", lambda w: w.half.path.unlink()),
    "more than was promised": ("upload_long", lambda w: w.half.path.write_bytes(b"half and more")),
    "an upload of another size than its recording": (
        "upload_other",
        lambda w: Upload.objects.filter(job=w.done).update(offset=4),
    ),
    "an upload that expired long ago": ("upload_expired", update_half(expires_at=timezone.now() - timedelta(days=1))),
    "another recording's run is current": ("current_run", other_job_current),
    "an older run is current": ("current_run", old_current),
    "no run is current": ("current_run", update_job(current_run=None)),
    "a number was skipped": ("run_numbers", skipped_number),
    "two runs are under way": ("two_open", second_open),
    "it ended and has no time of that": ("times", update_run(finished_at=None)),
    "it succeeded and never began": ("times", update_run(started_at=None)),
    "its last event tells another end": ("history", lambda w: RunEvent.objects.create(run=w.run, state="failed")),
    "it has no history": ("history", lambda w: w.run.events.all().delete()),
    "it failed without a cause": ("no_cause", lambda w: ended(w, reason="")),
    "it ended and has a stage": ("stage", update_run(stage="transcribing")),
    "it runs and has no stage": ("stage", lambda w: Run.objects.filter(job=w.going).update(stage="")),
    "it is being cancelled for an hour": ("cancelling", long_cancel),
    "a part without its end": ("part", update_run(span_start=0.0)),
    "a part that ends before it begins": ("part", update_run(span_start=20.0, span_end=10.0)),
    "a part of itself": ("part", other_parent),
    "text of a window that is not done": ("window_undone", undone_window),
    "it succeeded without a window": ("not_all_heard", nobody_heard),
    "a window was skipped": ("window_numbers", update_window(1, index=2)),
    "a window behind the end": ("window_bounds", update_window(1, end=25.0)),
    "a window longer than any engine hears": (
        "window_bounds",
        lambda w: (update_job(duration=60.0)(w), update_window(1, end=45.0)(w)),
    ),
    "a window across the edge of its part": ("window_bounds", across_the_edge),
    "windows that overlap": ("windows_overlap", update_window(1, start=9.0)),
    "a segment of another run's window": ("segment_astray", astray),
    "a segment was skipped": ("segment_numbers", update_segment(index=3)),
    "a segment outside its window": ("segment_bounds", update_segment(start=8.0)),
    "a segment that ends before it begins": ("segment_bounds", update_segment(end=11.0, words=[])),
    "a segment that is there twice": ("segments_overlap", heard_twice),
    "words outside their segment": ("word_bounds", update_segment(words=[[2.0, 3.0, "Vier", 0.9]])),
    "words that are none": ("word_bounds", update_segment(words={"Vier": 12.5})),
}


@pytest.mark.parametrize(("code", "harm"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_found_by_its_name_and_no_other(code: str, harm: Callable[[World], object], world: World) -> None:
    harm(world)
    assert list(found()) == [code]


def test_each_check_has_its_damage() -> None:
    checks = [check for room in rooms(deep=True) for check in room.checks]
    assert {check.code for check in checks} == {code for code, _ in DAMAGE.values()}
    assert len(checks) == len({check.code for check in checks})


def test_a_file_on_its_way_is_young(world: World) -> None:
    stray_file(world)
    stray_folder(world)
    world.run.samples_path.write_bytes(b"x")
    assert found(grace=60) == {}


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
