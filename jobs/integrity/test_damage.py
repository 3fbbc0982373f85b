"""Each kind of damage is found by its name, and by no other."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import User
from jobs.integrity.stored import rooms
from jobs.integrity.worlds import World, found, world_of
from jobs.models import Job, Run, RunEvent, Segment, Upload, Window
from jobs.services.cancel import cancel

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(alice: User, media: Path) -> World:
    return world_of(alice)


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
    "a playable form that was never finished": (
        "part_left",
        lambda w: (w.done.folder / f"rendition.mp3.{uuid4().hex}.part").write_bytes(b"x"),
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
    "nothing says since when it rests": ("rest", update_job(idle_since=None)),
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
