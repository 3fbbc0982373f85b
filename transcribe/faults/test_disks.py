"""A disk is full at each place where something is written. Nothing is lost, and nobody has to mend anything."""

import json
from pathlib import Path
from urllib.error import HTTPError

import pytest

from transcribe.drill import SAMPLES, Drill
from transcribe.faults.disks import NEEDED, full, may_mount
from transcribe.faults.tools import agrees

pytestmark = [pytest.mark.alone, pytest.mark.faults, pytest.mark.skipif(not may_mount(), reason=NEEDED)]
MIB = 1 << 20


def test_an_upload_is_refused_and_leaves_nothing(drill: Drill) -> None:
    before = drill.rows("SELECT count(*) FROM jobs_job")
    with full(drill.stack.data / "media", left=MIB), pytest.raises(HTTPError) as refused:
        drill.upload(SAMPLES / "english.mp3")
    with refused.value as answer:
        assert (answer.code, json.load(answer)["code"]) == (507, "storage_full")
    assert drill.rows("SELECT count(*) FROM jobs_job") == before
    assert not list(drill.stack.data.glob("media/uploads/*"))
    agrees(drill)


def test_samples_that_find_no_room_are_waited_for(drill: Drill, recording: Path, lines: list[str]) -> None:
    """Twelve minutes of sound take 23 MB."""
    with full(drill.stack.data / "media", left=recording.stat().st_size + 10 * MIB):
        job = drill.upload(recording)
        said = "an activity of run-{} failed: DiskFull".format(*drill.rows(CURRENT, job)[0])
        drill.wait(lambda: sum(said in line for line in lines) >= 2, "two tries", 300)
        assert drill.run(job) == ("running", "")
        assert not list(drill.stack.data.glob(f"media/jobs/{job}/*.part"))
    drill.wait_for_windows(job, 1)
    drill.press(f"/jobs/{job}/cancel/")
    assert drill.wait_for_end(job) == ("cancelled", "cancelled")
    agrees(drill)


CURRENT = "SELECT current_run_id FROM jobs_job WHERE id = %s"


def test_text_that_finds_no_room_is_waited_for(drill: Drill, recording: Path, minute: Path) -> None:
    """The disk of the database, and of Temporal: pages are still read."""
    log = drill.stack.data / "logs" / "postgres.log"
    job = drill.upload(recording)
    drill.wait_for_windows(job, 1)
    before = log.read_text().count("No space left on device")
    with full(drill.stack.data):
        drill.wait(lambda: log.read_text().count("No space left on device") > before, "the database to notice", 300)
        assert "long.mp3" in drill.get(f"/jobs/{job}/")
    assert drill.wait_for_end(job, 900) == ("succeeded", "")
    agrees(drill)
    assert drill.wait_for_end(drill.upload(minute, language="de")) == ("succeeded", "")
