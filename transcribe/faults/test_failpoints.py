"""Processes end at the instants that chance does not hit: each named place of `jobs.failpoints`, and the way back."""

import os
import time
from pathlib import Path

import pytest

from jobs.failpoints import Point
from transcribe.drill import Drill
from transcribe.faults.tools import (
    agrees,
    break_at,
    unfinished,
    wait_for_breaks,
    wait_for_web,
    wait_for_worker,
)

pytestmark = [pytest.mark.alone, pytest.mark.faults]
# In the order of a life. The other places are those of a cancel, of a frozen worker and of clean-ups.
WORKERS = [
    Point.BEFORE_WORKFLOW,
    Point.AFTER_WORKFLOW,
    Point.BEFORE_SPAN,
    Point.TEXT_WRITTEN,
    Point.WINDOWS_COMMITTED,
    Point.FINISHED,
]
HOURS_AGO = 3 * 3600


def test_one_recording_survives_the_end_of_its_worker_at_every_step(drill: Drill, minute: Path) -> None:
    calm = drill.upload(minute, language="de")
    assert drill.wait_for_end(calm) == ("succeeded", "")
    break_at(drill, *WORKERS)
    job = drill.upload(minute, language="de")
    assert drill.wait_for_end(job) == ("succeeded", "")
    wait_for_breaks(drill, *WORKERS, seconds=600)
    wait_for_worker(drill)
    assert drill.text(job) == drill.text(calm)
    assert not list(drill.stack.data.glob(f"media/jobs/{job}/*.*"))  # the samples went
    agrees(drill)


def test_a_web_process_that_ends_before_its_answer_has_made_one_recording(drill: Drill, minute: Path) -> None:
    break_at(drill, Point.RECORDING_COMMITTED)
    with pytest.raises(ConnectionError):
        drill.upload(minute, language="de", key="sent twice")
    wait_for_web(drill)
    before = drill.rows("SELECT id FROM jobs_job ORDER BY created_at DESC LIMIT 1")
    job = drill.upload(minute, language="de", key="sent twice")
    assert [(job,)] == [(str(key),) for (key,) in before]
    assert drill.wait_for_end(job) == ("succeeded", "")
    agrees(drill)


def test_what_a_clean_up_left_behind_goes_with_the_next_one(drill: Drill, recording: Path, tmp_path: Path) -> None:
    """Rows first, files after: what an end between the two leaves is nobody's, and is removed once it is old."""
    unfinished(drill)
    notes = tmp_path / "notes.mp3"
    notes.write_text("These are only words.")
    break_at(drill, Point.FAILED_LEFT)
    refused = drill.upload(notes)
    assert drill.wait_for_end(refused) == ("failed", "not_media")
    wait_for_breaks(drill, Point.FAILED_LEFT)
    cancelled = drill.upload(recording)
    drill.wait_for_windows(cancelled, 1)
    drill.rows("UPDATE jobs_upload SET expires_at = now() - interval '1 minute' WHERE job_id IS NULL RETURNING id")
    break_at(drill, Point.CANCELLED_LEFT, Point.DELETED_LEFT, Point.EXPIRED_LEFT)
    drill.press(f"/jobs/{cancelled}/cancel/")
    wait_for_breaks(drill, Point.CANCELLED_LEFT)
    with pytest.raises(ConnectionError):
        drill.press(f"/jobs/{cancelled}/delete/")
    wait_for_web(drill)
    folders = drill.stack.data / "media" / "jobs"
    drill.wait(lambda: not (folders / refused).exists(), "the refused file to go", 60)  # its activity is tried again
    assert (folders / cancelled / "source").exists()
    wait_for_breaks(drill, Point.EXPIRED_LEFT)  # who came after the cancel swept
    drill.stack.hold("worker")  # no sweep while they grow old
    then = time.time() - HOURS_AGO
    for path in drill.stack.data.glob("media/**/*"):
        os.utime(path, (then, then))
    drill.stack.release("worker")
    drill.wait(lambda: not (folders / cancelled).exists(), "the sweep", 120)
    wait_for_worker(drill)
    assert drill.faults("--grace", "0") == []
