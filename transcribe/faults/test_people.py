"""People change their mind at every step, and click twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from urllib.error import HTTPError

import psutil
import pytest

from jobs.failpoints import Action, Point
from transcribe.drill import SAMPLES, Drill
from transcribe.faults.tools import agrees, break_at, thaw, wait_for_breaks, wait_for_frozen

pytestmark = [pytest.mark.alone, pytest.mark.faults]
CLICKS = 8
STEPS = [
    Point.BEFORE_WORKFLOW,
    Point.AFTER_WORKFLOW,
    Point.DECODING,
    Point.DECODED,
    Point.PLANNED,
    Point.BEFORE_SPAN,
    Point.HEARD,
    Point.WINDOWS_COMMITTED,
    Point.BEFORE_FINISH,
]
MORE_TO_HEAR = [Point.HEARD, Point.WINDOWS_COMMITTED]


def at(drill: Drill, point: Point, recording: Path, act: Callable[[str], None]) -> str:
    """Do this to a recording whose worker stands at that place; its id."""
    break_at(drill, point, action=Action.FREEZE)
    job = drill.upload(recording, language="de")
    wait_for_breaks(drill, point)
    frozen = wait_for_frozen(drill, [drill.stack.pid("worker")])
    try:
        act(job)
    finally:
        thaw(frozen)
    return job


def test_a_cancel_at_every_step_ends_it_and_after_the_end_changes_nothing(drill: Drill, minute: Path) -> None:
    longer = SAMPLES / "german.mp3"

    def cancel(job: str) -> None:
        drill.press(f"/jobs/{job}/cancel/")

    for point in STEPS:
        job = at(drill, point, longer if point in MORE_TO_HEAR else minute, cancel)
        assert drill.wait_for_end(job, 120) == ("cancelled", "cancelled"), point
    done = at(drill, Point.SUCCEEDED_LEFT, minute, cancel)
    assert drill.wait_for_end(done, 120) == ("succeeded", "")
    deleted = at(drill, Point.HEARD, longer, lambda job: drill.press(f"/jobs/{job}/delete/"))
    assert drill.rows("SELECT 1 FROM jobs_job WHERE id = %s", deleted) == []
    after = drill.upload(minute, language="de")  # the workers are free
    assert drill.wait_for_end(after) == ("succeeded", "")
    media = drill.stack.data / "media" / "jobs"
    drill.wait(lambda: not list(media.glob("*/*.*")), "all samples to go", 60)
    assert not (media / deleted).exists()
    agrees(drill)


def test_who_sends_or_clicks_many_times_at_once_gets_one(drill: Drill, minute: Path) -> None:
    def send(_: int) -> str:
        while True:
            try:
                return drill.upload(minute, language="de", key="impatient")
            except HTTPError as answer:
                with answer:
                    if answer.code != HTTPStatus.LOCKED:  # another one of them is on its way
                        raise

    with ThreadPoolExecutor(CLICKS) as clicks:
        [job] = set(clicks.map(send, range(CLICKS)))
        assert drill.wait_for_end(job) == ("succeeded", "")
        worker = psutil.Process(drill.stack.pid("worker"))
        worker.suspend()  # or the second run may have ended before the last click, which then makes a third
        list(clicks.map(lambda _: drill.press(f"/jobs/{job}/again/"), range(CLICKS)))
        worker.resume()
    assert drill.wait_for_end(job) == ("succeeded", "")
    assert drill.rows("SELECT count(*) FROM jobs_run WHERE job_id = %s", job) == [(2,)]
    agrees(drill)
