"""Downloads: what is in them, what they are called, and whose they are."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient, Client

from accounts.models import User
from jobs.exports import FORMATS, export
from jobs.exports.response import file_name
from jobs.models import Job, Segment
from jobs.speaking import speak

HOSTILE = 'a"b\r\nSet-Cookie: x=1\u202egpj.mp3'


@pytest.fixture
def job(alice: User, make_job: Callable[..., Job]) -> Job:
    made = make_job(alice, state="succeeded", title=HOSTILE)
    speak(made.current_run, [" Second, <b>bold</b>\nline. ", 'Grüße \u2028 \x1f"quoted"'], start=10.0)
    speak(made.current_run, [" First.", "  "], start=0.0)
    return made


def words(job: Job, name: str) -> str:
    assert job.current_run is not None
    return "".join(export(job.current_run, name))


def test_text_is_a_line_for_each_stretch_in_time_order_and_a_gap_for_a_pause(job: Job) -> None:
    assert words(job, "txt") == 'First.\n\nSecond, <b>bold</b> line.\nGrüße "quoted"\n'


def test_json_is_valid_and_holds_everything(job: Job) -> None:
    found = json.loads(words(job, "json"))
    assert found["version"] == 1
    assert found["recording"]["title"] == HOSTILE
    assert (found["run"]["state"], found["run"]["model"]) == ("succeeded", "demo")
    assert [(s["start"], s["end"]) for s in found["segments"]] == [(0, 4), (5, 9), (10, 14), (15, 19)]
    assert found["segments"][3]["text"] == 'Grüße \u2028 \x1f"quoted"'
    assert found["segments"][0]["temperature"] is None


def test_json_has_the_times_of_words(job: Job) -> None:
    Segment.objects.filter(start=0.0).update(words=[[0.5, 1.25, " First.", 0.75]])
    first, second, *_ = json.loads(words(job, "json"))["segments"]
    assert first["words"] == [{"start": 0.5, "end": 1.25, "text": " First.", "probability": 0.75}]
    assert second["words"] == []


def test_json_knows_no_nan(job: Job) -> None:
    Segment.objects.update(average_log_probability=float("nan"), compression_ratio=float("inf"))
    assert json.loads(words(job, "json"))["segments"][0]["average_log_probability"] is None


def test_nothing_said_is_an_empty_text_and_an_empty_list(alice: User, make_job: Callable[..., Job]) -> None:
    silent = make_job(alice, state="succeeded")
    assert words(silent, "txt") == ""
    assert json.loads(words(silent, "json"))["segments"] == []


def test_long_transcripts_are_read_in_steps(
    job: Job, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr("jobs.exports.segments.STEP", 2)
    with django_assert_num_queries(3):
        assert len(words(job, "txt").split("\n")) == 5


@pytest.mark.parametrize("name", list(FORMATS))
def test_a_download_is_an_attachment_with_a_harmless_name(job: Job, client: Client, alice: User, name: str) -> None:
    client.force_login(alice)
    answer = client.get(f"/jobs/{job.pk}/download/{name}/")
    assert answer["Content-Disposition"] == f'attachment; filename="a b Set-Cookie x=1 gpj.{name}"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer.headers
    assert answer.getvalue().decode() == words(job, name)


@pytest.mark.django_db(transaction=True)
async def test_it_streams_under_the_production_server_too(job: Job, async_client: AsyncClient, alice: User) -> None:
    await async_client.aforce_login(alice)
    answer: Any = await async_client.get(f"/jobs/{job.pk}/download/txt/")
    text = b"".join([part async for part in answer.streaming_content]).decode()
    assert text.startswith("First.")
    await sync_to_async(connections.close_all)()  # that of the thread, or the test database cannot be dropped


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("talk.mp3", "talk.txt"),
        ("Grüße.ogg", "Grüße.txt"),
        ("../../etc/passwd", "etc passwd.txt"),
        ("Minutes 3. May 2026", "Minutes 3. May 2026.txt"),
        ("...", "transcript.txt"),
        ("", "transcript.txt"),
        ("C:\\a|b?.wav", "C a b.txt"),
        ("x" * 300, "x" * 100 + ".txt"),
    ],
)
def test_names(title: str, name: str) -> None:
    assert file_name(title, ".txt") == name


def test_strangers_and_unknown_formats_get_404(job: Job, client: Client, alice: User, bob: User) -> None:
    client.force_login(bob)
    assert client.get(f"/jobs/{job.pk}/download/txt/").status_code == 404
    client.force_login(alice)
    assert client.get(f"/jobs/{job.pk}/download/exe/").status_code == 404
    assert client.get(f"/jobs/{uuid4()}/download/txt/").status_code == 404
    assert client.post(f"/jobs/{job.pk}/download/txt/").status_code == 405
