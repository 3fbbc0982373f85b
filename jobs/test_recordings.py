"""The dashboard, the upload page and the samples."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as site
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from jobs.models import Job, Run, RunEvent, Upload, Window

Make = Callable[..., Job]
STATES = ("queued", "running", "cancelling", "succeeded", "failed", "cancelled")


@pytest.fixture
def page(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def text(client: Client, path: str = "/") -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("path", ["/", "/upload"])
def test_strangers_are_asked_to_sign_in(client: Client, db: None, path: str) -> None:
    assert client.get(path)["Location"] == f"/sign-in/?next={path}"


@pytest.mark.parametrize("path", ["/", "/upload"])
def test_pages_are_not_posted(page: Client, path: str) -> None:
    assert page.post(path).status_code == 405


def test_only_ones_own_recordings_are_listed(page: Client, alice: User, bob: User, make_job: Make) -> None:
    make_job(alice, title="mine.mp3")
    make_job(bob, title="his.mp3")
    found = text(page)
    assert "mine.mp3" in found
    assert "his.mp3" not in found


def test_titles_are_text(page: Client, alice: User, make_job: Make) -> None:
    make_job(alice, title='<script>alert(1)</script>" onload="x', state="running")
    found = text(page)
    assert "<script>alert" not in found
    assert '" onload=' not in found


def test_every_state_is_a_word(page: Client, alice: User, make_job: Make) -> None:
    for state in STATES:
        make_job(alice, state=state)
    found = text(page)
    assert all(f"<span>{word}</span>" in found for word in ("Queued", "Running", "Stopping", "Done", "Failed"))
    assert found.count("<progress") == 2


def test_the_newest_fifty_then_pages(page: Client, alice: User, make_job: Make) -> None:
    for number in range(51):
        make_job(alice, title=f"talk {number}.mp3")
    first, second = text(page), text(page, "/?page=2")
    assert first.count('class="row"') == 50
    assert "talk 50.mp3" in first
    assert "talk 0.mp3" not in first
    assert "talk 0.mp3" in second
    assert "Page 2 of 2" in second
    assert "data-newest" not in second


def test_search_by_name(page: Client, alice: User, make_job: Make) -> None:
    make_job(alice, title="Harbour.mp3")
    make_job(alice, title="Lecture_1.mp3")
    assert "Lecture" not in text(page, "/?q=harbour")
    assert "Harbour" not in text(page, "/?q=_")
    assert "No recording has “&lt;b&gt;” in its name" in text(page, "/?q=<b>")
    assert text(page, "/?q=%00&page=x").count('class="row"') == 2


def counts(found: str) -> list[int]:
    return [int(count) for count in re.findall(r'<span class="count">(\d+)</span>', found)]


def test_filters_by_state_and_by_name_together(page: Client, alice: User, bob: User, make_job: Make) -> None:
    make_job(bob, title="Harbour of Bob.mp3", state="failed")
    for state in STATES:
        make_job(alice, title=f"Harbour {state}.mp3", state=state)
        make_job(alice, title=f"Lecture {state}.mp3", state=state)
    shown = {state: re.findall(r'<a class="row-title"[^>]*>(\w+) (\w+)\.mp3', text(page, f"/?state={state}&q=harb"))
             for state in ("", "open", "done", "failed", "nonsense")}  # fmt: skip
    assert {name for rows in shown.values() for name, _ in rows} == {"Harbour"}
    states = {wish: sorted(state for _, state in rows) for wish, rows in shown.items()}
    assert states == {
        "": sorted(STATES), "nonsense": sorted(STATES), "open": ["cancelling", "queued", "running"],
        "done": ["succeeded"], "failed": ["failed"],
    }  # fmt: skip
    assert counts(text(page, "/?state=done&q=harb")) == [6, 3, 1, 1]
    assert counts(text(page)) == [12, 6, 2, 2]
    chosen = text(page, "/?state=done&q=harb&page=3")
    assert 'href="?state=failed&amp;q=harb"' in chosen  # a filter keeps the word and begins at the first page
    assert '<input type="hidden" name="state" value="done">' in chosen  # the search keeps the filter


def test_a_filter_without_rows_says_so(page: Client, alice: User, make_job: Make) -> None:
    make_job(alice, state="succeeded")
    assert "No transcription has failed." in text(page, "/?state=failed")
    assert "Nothing is being transcribed at the moment." in text(page, "/?state=open")
    assert "No recording in this list has “x” in its name." in text(page, "/?state=open&q=x")


def test_a_row_offers_what_its_state_allows(page: Client, alice: User, make_job: Make) -> None:
    job = make_job(alice, state="running")
    Run.objects.update(state="running")
    assert f'formaction="/jobs/{job.pk}/cancel/"' in text(page)
    for state, reason, again in (("succeeded", "", True), ("failed", "poison", True), ("failed", "no_audio", False)):
        Run.objects.update(state=state, reason=reason)
        found = text(page)
        assert (f'formaction="/jobs/{job.pk}/again/"' in found) == again
        assert "/cancel/" not in found
        assert f'href="/jobs/{job.pk}/delete/"' in found


def test_an_empty_list_invites(page: Client) -> None:
    found = text(page)
    assert "No recordings yet" in found
    assert 'formaction="/samples/english/"' in found


def busy(owner: User, make_job: Make, count: int) -> None:
    for number in range(count):
        job = make_job(owner, state=STATES[number % 3])
        assert job.current_run is not None
        Window.objects.create(run=job.current_run, index=0, span=0, batch=0, start=0, end=30)
        RunEvent.objects.create(run=job.current_run, state="running", stage="transcribing")


def queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        text(client, path)
    return len(captured)


def test_sixty_recordings_cost_as_many_queries_as_six(page: Client, alice: User, make_job: Make) -> None:
    busy(alice, make_job, 6)
    few = [queries(page, path) for path in ("/", "/?state=open&q=talk")]
    busy(alice, make_job, 54)
    assert [queries(page, path) for path in ("/", "/?state=open&q=talk")] == few
    assert max(few) <= 11


def test_the_upload_form_has_the_file_last(page: Client) -> None:
    """The door reads the form as a stream: what follows the file would come too late."""
    form = text(page, "/upload").split('<form id="upload"')[1].split("</form>")[0]
    places = [form.index(name) for name in ('name="csrfmiddlewaretoken"', 'name="language"', 'name="file"')]
    assert places == sorted(places)
    languages = form.split('name="language"')[1].split("</select>")[0]
    options = [part.split('"')[0] for part in languages.split('<option value="')[1:]]
    assert options[:3] == ["", "en", "de"]
    assert len(options) == len(set(options)) == 101


def test_the_demo_model_is_named_on_every_page(page: Client, settings: Any) -> None:
    paths = ("/", "/upload")
    settings.DEMO_MODEL = True
    assert all("small demo model" in text(page, path) for path in paths)
    settings.DEMO_MODEL = False
    assert all("small demo model" not in text(page, path) for path in paths)


@pytest.mark.parametrize("name", ["english", "german"])
def test_a_sample_becomes_a_recording_of_ones_own(page: Client, alice: User, media: Path, name: str) -> None:
    answer = page.post(f"/samples/{name}/")
    job = Job.objects.get(pk=UUID(answer["Location"].split("/")[2]))
    original = (Path(site.BASE_DIR) / "worker" / "demo" / "samples" / f"{name}.mp3").read_bytes()
    assert (job.owner, job.size) == (alice, len(original))
    assert job.sha256 == hashlib.sha256(original).hexdigest()
    assert job.path.read_bytes() == original
    assert job.current_run is not None
    assert job.current_run.state == "queued"
    assert Upload.objects.get().job == job


def test_samples_are_posted_and_known(page: Client, media: Path) -> None:
    assert page.get("/samples/english/").status_code == 405
    assert page.post("/samples/passwd/").status_code == 404
    assert not Job.objects.exists()


def test_pages_keep_the_content_security_policy(page: Client, alice: User, make_job: Make) -> None:
    make_job(alice, state="running")
    for path in ("/", "/upload", "/nothing"):
        answer = page.get(path)
        assert "script-src 'self'" in answer["Content-Security-Policy"]
        body = answer.content.decode()
        assert " style=" not in body
        assert "<style" not in body
        data = ' type="application/json"'  # read by a script of ours, run by nobody
        assert all(" src=" in tag or data in tag for tag in body.split("<script")[1:])
