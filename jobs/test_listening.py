"""Which file a page plays, and where in it somebody speaks."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from jobs.listening import SPANS, Player, player_of, speech_strip
from jobs.models import Job, Run, Window
from jobs.playable import media_type, type_by_head
from jobs.services.files import remove_recording
from jobs.states import Rendition
from worker.fixtures import recording

Make = Callable[..., Job]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (("mp3", "mp3", ""), "audio/mpeg"),
        (("mov", "aac", ""), "audio/mp4"),
        (("mov", "aac", "h264"), "video/mp4"),
        (("webm", "opus", ""), "audio/webm"),
        (("webm", "vorbis", "vp9"), "video/webm"),
        (("ogg", "vorbis", ""), "audio/ogg"),
        (("wav", "pcm_s16le", ""), "audio/wav"),
        (("mp3", "mp2", ""), None),
        (("mov", "alac", ""), None),
        (("mov", "amr_nb", ""), None),
        (("mov", "aac", "hevc"), None),
        (("mp3", "mp3", "h264"), None),
        (("wav", "adpcm_ms", ""), None),
        (("ogg", "speex", ""), None),
        (("matroska", "aac", "h264"), None),
        (("avi", "mp3", "mpeg4"), None),
        (("asf", "wmav2", ""), None),
        (("", "", ""), None),
    ],
)
def test_what_browsers_play(found: tuple[str, str, str], expected: str | None) -> None:
    assert media_type(*found) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("mp3", "audio/mpeg"),
        ("m4a", "audio/mp4"),
        ("opus", "audio/ogg"),
        ("webm", "audio/webm"),
        ("flac", "audio/flac"),
        ("wav", "audio/wav"),
        ("aiff", None),
        ("ts", None),
    ],
)
def test_old_recordings_are_known_by_their_first_bytes(kind: str, expected: str | None) -> None:
    assert type_by_head(recording(kind, 0.5)[:16]) == expected


def given(job: Job, **facts: str) -> Job:
    Job.objects.filter(pk=job.pk).update(**facts)
    return Job.objects.select_related("current_run").get(pk=job.pk)


def test_a_player(alice: User, make_job: Make) -> None:
    sound = given(make_job(alice, state="running"), container="mp3", codec="mp3")
    assert player_of(sound) == Player("ready", "audio", f"/recordings/{sound.pk}/media", "audio/mpeg")
    film = given(make_job(alice, state="succeeded"), container="mov", codec="aac", picture="h264")
    assert player_of(film) == Player("ready", "video", f"/recordings/{film.pk}/media", "video/mp4")


def test_a_recording_that_browsers_cannot_play_waits_for_its_rendition(alice: User, make_job: Make) -> None:
    facts = {"container": "asf", "codec": "wmav2"}
    job = given(make_job(alice, state="succeeded"), **facts, rendition=Rendition.WANTED)
    assert player_of(job) == Player("making")
    assert player_of(given(job, rendition=Rendition.FAILED)) == Player("none")
    assert player_of(given(job, rendition="")) == Player("none")
    assert player_of(given(job, rendition=Rendition.WANTED)) == Player("making")
    assert job.current_run is not None
    Run.objects.filter(pk=job.current_run.pk).update(finished_at=timezone.now() - timedelta(hours=7))
    assert player_of(given(job)) == Player("none")
    Run.objects.filter(pk=job.current_run.pk).update(finished_at=None, state="cancelled")
    assert player_of(given(job)) == Player("none")
    job.rendition_path.write_bytes(b"sound")
    ready = given(job, rendition=Rendition.READY)
    assert player_of(ready) == Player("ready", "audio", f"/recordings/{job.pk}/media", "audio/mpeg")


def test_before_a_look_into_it_nothing_is_played(alice: User, make_job: Make) -> None:
    assert player_of(make_job(alice, content=b"ID3 looks like one", state="queued")) == Player("making")


def test_recordings_of_old_are_played_by_what_they_look_like(alice: User, make_job: Make) -> None:
    assert player_of(make_job(alice, content=b"ID3 looks like one", state="succeeded")).type == "audio/mpeg"
    assert player_of(make_job(alice, content=b"looks like nothing", state="succeeded")) == Player("none")


def test_a_recording_that_was_not_kept_has_no_player(alice: User, make_job: Make) -> None:
    job = given(make_job(alice, state="failed", reason="corrupt"), container="mp3", codec="mp3")
    remove_recording(job)
    assert player_of(job) == Player("none")
    assert player_of(make_job(alice, state="succeeded")) == Player("none")


def windows(run: Run | None, *spans: tuple[float, float]) -> Run:
    assert run is not None
    Window.objects.bulk_create(
        Window(run=run, index=index, span=0, batch=0, start=start, end=end) for index, (start, end) in enumerate(spans)
    )
    return run


def test_speech_is_where_the_windows_are(alice: User, make_job: Make, django_assert_num_queries: Any) -> None:
    run = windows(make_job(alice, state="running").current_run, (1.0, 30.5), (30.5, 60.0), (70.0, 71.5))
    with django_assert_num_queries(1):
        assert speech_strip(run) == [(1.0, 60.0), (70.0, 71.5)]


def test_of_many_pauses_the_longest_show(alice: User, make_job: Make) -> None:
    spans = [(n * 10.0, n * 10.0 + (4.0 if n % 5 == 4 else 9.5)) for n in range(2000)]
    found = speech_strip(windows(make_job(alice, state="running").current_run, *spans))
    assert found == [(n * 50.0, n * 50.0 + 44.0) for n in range(400)]


def test_never_more_than_a_screen_shows(alice: User, make_job: Make) -> None:
    spans = [(n * 10.0, n * 10.0 + 5 + n / 1000) for n in range(3000)]
    found = speech_strip(windows(make_job(alice, state="running").current_run, *spans))
    assert len(found) == SPANS
    assert (found[0], found[-1][1]) == ((0.0, 5.0), spans[-1][1])


def test_nothing_said_is_no_speech(alice: User, make_job: Make) -> None:
    assert speech_strip(make_job(alice, state="queued").current_run) == []
    assert speech_strip(None) == []
