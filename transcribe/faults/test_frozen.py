"""A worker that stands still, and wakes when others have done its work: nobody waits for it, and it changes nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.failpoints import Action, Point
from transcribe.drill import SAMPLES, Drill
from transcribe.faults.tools import agrees, break_at, second_worker, thaw, wait_for_breaks, wait_for_frozen

pytestmark = [pytest.mark.alone, pytest.mark.faults]


@pytest.fixture(scope="module")
def workers(drill: Drill) -> Iterator[tuple[int, int]]:
    with second_worker(drill) as second:
        yield drill.stack.pid("worker"), second


@pytest.mark.parametrize("point", [Point.HEARD, Point.TEXT_WRITTEN])
def test_a_worker_that_wakes_late_changes_nothing(
    drill: Drill, workers: tuple[int, int], calm: str, minute: Path, point: Point
) -> None:
    """Frozen with what it heard, or with a lock on the run's row; half the time with the scheduler's lock, too."""
    break_at(drill, point, action=Action.FREEZE)
    job = drill.upload(SAMPLES / "english.mp3")
    wait_for_breaks(drill, point)
    frozen = wait_for_frozen(drill, workers)
    try:
        # What comes later is done, too, though each of its steps may first go to the sleeper: so only once.
        after = [drill.upload(minute, language="de")] if point == Point.TEXT_WRITTEN else []
        assert {drill.wait_for_end(each) for each in (job, *after)} == {("succeeded", "")}
        rows = everything(drill, job)
    finally:
        thaw(frozen)
    lives = "SELECT 1 FROM jobs_worker WHERE pid = %s AND seen_at > now() - interval '2 seconds' AND runs = '[]'"
    drill.wait(lambda: drill.rows(lives, frozen) != [], "the sleeper to give up", 60)
    assert everything(drill, job) == rows
    assert drill.text(job) == drill.text(calm)
    agrees(drill)


def everything(drill: Drill, job: str) -> list[tuple[object, ...]]:
    """The run as its readers have it."""
    return drill.rows(
        "SELECT r.state, r.finished_at, w.index, w.done_at, s.id, s.text FROM jobs_run r "
        "JOIN jobs_window w ON w.run_id = r.id LEFT JOIN jobs_segment s ON s.window_id = w.id "
        "WHERE r.job_id = %s ORDER BY w.index, s.index",
        job,
    )
