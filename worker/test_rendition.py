"""Recordings that browsers cannot play, through the real decode child: what is found, and what becomes of it."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from accounts.models import User
from jobs.listening import player_of
from jobs.models import Job, Run
from jobs.services.begin import begin
from jobs.services.delete import delete
from jobs.services.files import remove_samples
from jobs.services.retry import retry
from jobs.services.sweep import sweep
from jobs.states import Rendition
from worker import contract, media
from worker.activities import Activities
from worker.endings import ATTEMPTS_ALLOWED
from worker.fixtures import amr, encode, recording, tone, video, with_cover
from worker.samples import decode_samples, plan_windows
from worker.watch import Watch

Make = Callable[..., Job]
DAY = 86_400.0
ODD = {  # what browsers do not play
    "amr": amr(4.0),
    "asf": encode(tone(4.0, 44_100, 2), "asf", "wmav2", 44_100),
    "avi": video(4.0, sound=True, container="avi", codec="adpcm_ms"),
}


@pytest.mark.parametrize("kind", ODD)
def test_a_rendition_is_the_same_sound_at_the_same_times(tmp_path: Path, kind: str) -> None:
    source, target = tmp_path / "source", tmp_path / "rendition.mp3"
    source.write_bytes(ODD[kind])
    media.render(source, target, limit_seconds=DAY)
    decoded = media.decode(source, tmp_path / "samples", tmp_path / "speech", limit_seconds=DAY)
    again = tmp_path / "again"
    heard = media.decode(target, again, tmp_path / "speech", limit_seconds=DAY)
    assert (heard.container, heard.codec, heard.warnings) == ("mp3", "mp3", ())
    assert heard.duration == pytest.approx(decoded.duration, abs=0.05)
    assert loudness(again) == pytest.approx(loudness(tmp_path / "samples"), rel=0.15)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "rendition.mp3", "samples", "source", "speech"]


def loudness(samples: Path) -> float:
    return float(np.sqrt(np.square(np.fromfile(samples, np.int16).astype(float)).mean()))


def test_a_place_in_a_rendition_is_found_without_an_index(tmp_path: Path) -> None:
    """A click in the middle of silence is where it was: browsers look there by arithmetic."""
    sound = np.zeros((8000 * 60, 1), np.int16)
    sound[8000 * 40 : 8000 * 40 + 80] = 20_000
    source, target = tmp_path / "source", tmp_path / "rendition.mp3"
    source.write_bytes(encode(sound, "flac", "flac", 8000))
    media.render(source, target, limit_seconds=DAY)
    with av.open(str(target)) as opened:
        rates = {packet.size for packet in opened.demux(audio=0) if packet.size}
    assert len(rates) == 1  # every frame is as long as every other
    media.decode(target, tmp_path / "samples", tmp_path / "speech", limit_seconds=DAY)
    click = int(np.abs(np.fromfile(tmp_path / "samples", np.int16).astype(int)).argmax())
    assert click / 16_000 == pytest.approx(40.0, abs=0.03)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (recording("mp3", 1.0), ("mp3", "mp3", "")),
        (with_cover(recording("mp3", 1.0)), ("mp3", "mp3", "")),
        (recording("m4a", 1.0), ("mov", "aac", "")),
        (recording("webm", 1.0), ("webm", "opus", "")),
        (encode(tone(1.0, 48_000), "matroska", "libopus", 48_000), ("matroska", "opus", "")),
        (recording("wav", 1.0), ("wav", "pcm_s16le", "")),
        (video(sound=True), ("mov", "aac", "mpeg4")),
        (video(sound=True, picture="libx264"), ("mov", "aac", "h264")),
        (ODD["amr"], ("amr", "amr_nb", "")),
        (ODD["asf"], ("asf", "wmav2", "")),
        (ODD["avi"], ("avi", "adpcm_ms", "mpeg4")),
    ],
)
def test_what_is_found(tmp_path: Path, content: bytes, found: tuple[str, str, str]) -> None:
    (tmp_path / "source").write_bytes(content)
    decoded = media.decode(tmp_path / "source", tmp_path / "samples", tmp_path / "speech", limit_seconds=DAY)
    assert (decoded.container, decoded.codec, decoded.picture) == found


def test_limits_hold_and_nothing_stays_behind(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "rendition.mp3"
    source.write_bytes(ODD["asf"])
    with pytest.raises(media.MediaRefused, match="too_long"):
        media.render(source, target, limit_seconds=2.0)
    with pytest.raises(media.DecodeStopped):
        media.render(source, target, limit_seconds=DAY, should_stop=lambda: True)
    source.write_bytes(b"no recording")
    with pytest.raises(media.MediaRefused, match="not_media"):
        media.render(source, target, limit_seconds=DAY)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_what_a_killed_one_left_is_removed(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "rendition.mp3"
    source.write_bytes(ODD["amr"])
    (tmp_path / "rendition.mp3.0123.part").write_bytes(b"half")
    media.render(source, target, limit_seconds=DAY)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rendition.mp3", "source"]


class Studio:
    """The worker's activities on a job, without Temporal around them."""

    def __init__(self) -> None:
        self.environment = ActivityEnvironment()
        self._bodies = Activities(cast(Any, None), cast(Any, None))  # no engine, no presence: neither is asked

    def inspect(self, job: Job) -> Job:
        """Decode and plan, as the activity does it."""
        run = run_of(job)
        assert begin(run.pk, attempt=1, worker="w")

        def body() -> None:
            watch = Watch(run.pk)
            plan_windows(run, decode_samples(run, watch), speed=1.0)

        self.environment.run(body)
        return fresh(job)

    def render(self, job: Job, attempt: int = 1) -> Job:
        self.environment.info = dataclasses.replace(self.environment.info, attempt=attempt)
        self.environment.run(self._bodies.make_rendition, contract.RunRef(str(run_of(job).pk)))
        return fresh(job)


def run_of(job: Job) -> Run:
    assert job.current_run is not None
    return job.current_run


def fresh(job: Job) -> Job:
    return Job.objects.select_related("current_run").get(pk=job.pk)


@pytest.fixture
def studio(transactional_db: None) -> Studio:
    """Activities give their database connection back, which no transaction around the test would survive."""
    return Studio()


@pytest.fixture
def odd_job(studio: Studio, alice: User, make_job: Make) -> Job:
    """An inspected recording that wants a rendition."""
    return studio.inspect(make_job(alice, content=ODD["amr"]))


def test_a_job_learns_what_is_in_it_and_then_how_it_is_played(studio: Studio, odd_job: Job) -> None:
    assert (odd_job.container, odd_job.codec, odd_job.picture) == ("amr", "amr_nb", "")
    assert (odd_job.rendition, player_of(odd_job).state) == (Rendition.WANTED, "making")
    made = studio.render(odd_job)
    assert (made.rendition, player_of(made).type) == (Rendition.READY, "audio/mpeg")
    assert made.revision > odd_job.revision  # open pages are told
    written = made.rendition_path.stat().st_mtime_ns
    assert studio.render(made).rendition_path.stat().st_mtime_ns == written  # asked again, it is not made again


def test_what_browsers_play_has_no_rendition(studio: Studio, alice: User, make_job: Make) -> None:
    job = studio.inspect(make_job(alice, content=recording("mp3", 1.0)))
    assert (job.container, job.rendition, player_of(job).state) == ("mp3", "", "ready")
    assert not studio.render(job).rendition_path.exists()


@pytest.mark.parametrize(("state", "made"), [("succeeded", True), ("failed", True), ("cancelled", False)])
def test_it_outlives_the_run_unless_that_is_cancelled(studio: Studio, odd_job: Job, state: str, made: bool) -> None:
    Run.objects.filter(pk=run_of(odd_job).pk).update(state=state)
    if made:
        assert studio.render(odd_job).rendition == Rendition.READY
    else:
        with pytest.raises(ApplicationError, match="not running"):
            studio.render(odd_job)
        assert not odd_job.rendition_path.exists()


def test_another_run_makes_what_was_not_made_and_keeps_what_was(studio: Studio, odd_job: Job) -> None:
    Job.objects.filter(pk=odd_job.pk).update(rendition=Rendition.FAILED)
    Run.objects.filter(pk=run_of(odd_job).pk).update(state="failed")
    retry(odd_job)
    again = studio.inspect(fresh(odd_job))
    assert again.rendition == Rendition.WANTED
    made = studio.render(again)
    Run.objects.filter(pk=run_of(made).pk).update(state="succeeded")
    retry(made)
    assert studio.inspect(fresh(made)).rendition == Rendition.READY


def test_damage_found_on_the_way_is_no_failure_of_the_run(studio: Studio, odd_job: Job) -> None:
    odd_job.path.write_bytes(b"no recording any more")
    told = studio.render(odd_job)
    assert (told.rendition, player_of(told).state) == (Rendition.FAILED, "none")
    assert run_of(told).state == "running"


def test_a_full_disk_is_left_alone(studio: Studio, odd_job: Job, settings: Any) -> None:
    settings.DISK_RESERVE_BYTES = 1 << 60
    assert studio.render(odd_job).rendition == Rendition.FAILED


def test_a_fault_of_ours_is_tried_again_but_not_for_ever(studio: Studio, odd_job: Job) -> None:
    odd_job.rendition_path.mkdir()  # nothing can be moved to there
    with pytest.raises(ApplicationError) as caught:
        studio.render(odd_job)
    assert (caught.value.non_retryable, fresh(odd_job).rendition) == (False, Rendition.WANTED)
    with pytest.raises(ApplicationError) as caught:
        studio.render(odd_job, attempt=ATTEMPTS_ALLOWED)
    assert (caught.value.non_retryable, fresh(odd_job).rendition) == (True, Rendition.FAILED)


def test_it_goes_with_the_job(studio: Studio, odd_job: Job) -> None:
    made = studio.render(odd_job)
    folder, run = made.folder, contract.RunRef(str(run_of(made).pk))
    delete(made)
    assert not folder.exists()
    with pytest.raises(ApplicationError, match="not running"):
        studio.environment.run(Activities(cast(Any, None), cast(Any, None)).make_rendition, run)


def test_the_end_of_a_run_and_the_sweep_leave_it(studio: Studio, odd_job: Job) -> None:
    made = studio.render(odd_job)
    remove_samples(run_of(made))
    os.utime(made.rendition_path, (0, 0))
    sweep()
    assert made.rendition_path.exists()
