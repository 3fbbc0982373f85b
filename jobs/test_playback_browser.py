"""Real Chromium plays what the server sends, finds places in it, reads the captions, and shows nobody's page."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from accounts.models import User
from jobs.models import Job
from jobs.services.renditions import store_facts, store_rendition
from jobs.speaking import speak
from jobs.states import Rendition
from worker import media
from worker.fixtures import amr, encode, recording, tone, video

Make = Callable[..., Job]
DAY = 86_400.0
SECONDS = 30.0  # long enough that a place in it is asked for by a range of its own
PLAYED = {
    **{kind: recording(kind, SECONDS) for kind in ("mp3", "m4a", "aac", "opus", "flac", "wav", "webm")},
    "film": video(SECONDS, sound=True, picture="libx264"),
    "amr": amr(SECONDS),
    "asf": encode(tone(SECONDS, 44_100), "asf", "wmav2", 44_100),
    "avi": video(SECONDS, sound=True, container="avi", codec="adpcm_ms"),
}
RENDERED = {"amr", "asf", "avi"}
PLAY = """async () => {
    const media = document.querySelector("#media");
    const heard = (name) => new Promise((done, fail) => {
        media.addEventListener(name, done, { once: true });
        media.addEventListener("error", () => fail(new Error(media.error.message)), { once: true });
    });
    media.muted = true;
    if (media.readyState < HTMLMediaElement.HAVE_FUTURE_DATA) {
        const ready = heard("canplay");
        media.preload = "auto";
        await ready;
    }
    const sought = heard("seeked");
    media.currentTime = 20;
    await sought;
    const from = media.currentTime;
    await media.play();
    while (media.currentTime < from + 0.2) await heard("timeupdate");
    media.pause();
    return { duration: media.duration, from, width: media.videoWidth ?? 0 };
}"""
CUES = """async () => {
    const element = document.querySelector("#media track");
    if (element.readyState !== HTMLTrackElement.LOADED) {
        const loaded = new Promise((done, fail) => {
            element.addEventListener("load", done);
            element.addEventListener("error", () => fail(new Error("the track was refused")));
        });
        element.track.mode = "hidden";
        await loaded;
    }
    return [...element.track.cues].map((cue) => [cue.startTime, cue.endTime, cue.getCueAsHTML().textContent]);
}"""


@pytest.fixture
def keep(stored: Path, alice: User, make_job: Make, settings: Any) -> Callable[[bytes], Job]:
    """keep(content) -> a transcribed recording with what the worker would have found and made."""

    def make(content: bytes) -> Job:
        settings.MEDIA_ROOT = stored
        job = make_job(alice, state="succeeded", content=content)
        found = media.decode(job.path, job.folder / "samples", job.folder / "speech", limit_seconds=DAY)
        Job.objects.filter(pk=job.pk).update(duration=found.duration, sha256=hashlib.sha256(content).hexdigest())
        store_facts(job.pk, container=found.container, codec=found.codec, picture=found.picture)
        job.refresh_from_db()
        if job.rendition:
            media.render(job.path, job.rendition_path, limit_seconds=DAY)
            store_rendition(job.pk, Rendition.READY)
        return job

    return make


@pytest.mark.parametrize("kind", PLAYED)
def test_it_plays_and_places_are_found(page: Page, keep: Callable[[bytes], Job], kind: str) -> None:
    job = keep(PLAYED[kind])
    assert job.rendition_path.exists() == (kind in RENDERED)
    answers: list[int] = []
    page.on("response", lambda answer: answers.append(answer.status) if answer.url.endswith("/media") else None)
    page.goto(f"/jobs/{job.pk}/")
    found = page.evaluate(PLAY)
    assert found["duration"] == pytest.approx(SECONDS, abs=0.3)
    assert found["from"] == pytest.approx(20, abs=0.1)
    assert (found["width"] > 0) == (kind == "film")
    assert set(answers) == {206}


def test_captions_are_read_as_they_were_meant(page: Page, keep: Callable[[bytes], Job]) -> None:
    job = keep(recording("mp3", 3.0))
    speak(job.current_run, ["Good <b>morning</b> & welcome --> here.", "And then\n\nan empty line."])
    page.goto(f"/jobs/{job.pk}/")
    assert page.evaluate(CUES) == [
        [0, 4, "Good <b>morning</b> & welcome --> here."],
        [5, 9, "And then an empty line."],
    ]


def test_a_page_in_disguise_is_saved_and_never_shown(
    page: Page, stored: Path, alice: User, make_job: Make, settings: Any
) -> None:
    settings.MEDIA_ROOT = stored
    hostile = b"ID3<!doctype html><title>owned</title><script>document.title = document.domain</script>"
    job = make_job(alice, state="succeeded", content=hostile, title="talk.html")
    page.goto("/")
    before = page.title()
    with page.expect_download() as saving:
        page.evaluate("(address) => { location.href = address; }", f"/recordings/{job.pk}/media")
    assert Path(saving.value.path()).read_bytes() == hostile
    assert page.title() == before
