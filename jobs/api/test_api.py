"""The REST API over Django's own test client: what each call answers, who may make it, and how refusals look."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts import personal
from accounts.grants import Grant
from accounts.models import User
from jobs.models import Job, Run, Segment, Window, Worker
from jobs.speaking import speak
from jobs.states import RunState

ALL = frozenset(Grant)
MakeJob = Callable[..., Job]


class Script:
    """Someone's program: Django's client with a personal token."""

    def __init__(self, user: User, scopes: frozenset[str] = ALL) -> None:
        self.token = personal.make(user, "script", scopes, 1)[1]
        self._client = Client(headers={"authorization": f"Bearer {self.token}"})

    def __call__(self, method: str, path: str, **named: Any) -> Any:
        return self._client.generic(method, f"/api/v1{path}", **named)

    def get(self, path: str, **headers: str) -> Any:
        return self("GET", path, headers=headers)

    def post(self, path: str, data: str = "") -> Any:
        return self("POST", path, data=data, content_type="application/json")


@pytest.fixture(autouse=True)
def no_requests_before() -> None:
    cache.clear()


@pytest.fixture
def script(alice: User) -> Script:
    return Script(alice)


def with_words(job: Job, *texts: str) -> Run:
    run = job.current_run
    assert run is not None
    window = Window.objects.create(run=run, index=0, span=0, batch=0, start=0, end=10, done_at=timezone.now())
    for i, text in enumerate(texts):
        Segment.objects.create(run=run, window=window, index=i, start=i, end=i + 1, text=text)
    return run


def test_a_list_is_newest_first_in_pages_that_new_recordings_do_not_shift(
    script: Script, alice: User, make_job: MakeJob
) -> None:
    made = [make_job(alice, title=f"{i}.mp3") for i in range(5)]
    first = script.get("/jobs?limit=2").json()
    make_job(alice, title="later.mp3")
    second = script.get(f"/jobs?limit=2&cursor={first['next']}").json()
    third = script.get(f"/jobs?limit=2&cursor={second['next']}").json()
    seen = [job["id"] for page in (first, second, third) for job in page["jobs"]]
    assert seen == [str(job.pk) for job in reversed(made)]
    assert third["next"] is None


def test_recordings_of_the_same_instant_are_each_listed_once(script: Script, alice: User, make_job: MakeJob) -> None:
    made = {str(make_job(alice).pk) for _ in range(4)}
    Job.objects.update(created_at=timezone.now())
    first = script.get("/jobs?limit=3").json()
    second = script.get(f"/jobs?limit=3&cursor={first['next']}").json()
    assert [job["id"] for job in first["jobs"] + second["jobs"]] == sorted(made, reverse=True)


def test_a_list_can_be_filtered(script: Script, alice: User, make_job: MakeJob) -> None:
    done = make_job(alice, title="Interview.mp3", state=RunState.SUCCEEDED)
    make_job(alice, title="talk.mp3", state=RunState.QUEUED)
    for query in ("state=succeeded", "q=interview", "state=succeeded&state=failed&q=VIEW"):
        assert [job["id"] for job in script.get(f"/jobs?{query}").json()["jobs"]] == [str(done.pk)], query
    assert script.get(f"/jobs?sha256={'f' * 64}").json()["jobs"] == []


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("cursor=nonsense", 400, "bad_cursor"),
        ("cursor=MjAyNi0wMS0wMSAwMDAw", 400, "bad_cursor"),
        ("limit=0", 422, "bad_request"),
        ("limit=101", 422, "bad_request"),
        ("state=asleep", 422, "bad_request"),
        ("q=%00", 422, "bad_request"),
    ],
)
def test_a_query_that_cannot_be_meant_is_refused(script: Script, query: str, status: int, code: str) -> None:
    answer = script.get(f"/jobs?{query}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert set(answer.json()) == {"code", "detail", "request_id"}


def test_lists_cost_the_same_number_of_queries_whatever_their_length(
    script: Script, alice: User, make_job: MakeJob, make_worker: Callable[..., Worker], django_assert_num_queries: Any
) -> None:
    make_worker("demo")
    script.get("/jobs")  # notes the token's use
    for i in range(12):
        make_job(alice, state=(RunState.RUNNING, RunState.QUEUED)[i % 2])
    with django_assert_num_queries(9) as one:
        script.get("/jobs?limit=2")
    with django_assert_num_queries(len(one)):
        script.get("/jobs?limit=12")


def test_one_recording_tells_state_and_run(script: Script, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, state=RunState.SUCCEEDED, language="de", language_probability=0.9)
    found = script.get(f"/jobs/{job.pk}").json()
    assert (found["state"], found["percent"], found["run"]["language"]) == ("succeeded", 100, "de")
    assert found["url"] == f"/jobs/{job.pk}/"


def test_a_running_one_tells_work_and_end(
    script: Script, alice: User, make_job: MakeJob, make_worker: Callable[..., Worker]
) -> None:
    job = make_job(alice, state=RunState.RUNNING)
    Window.objects.create(run=Run.objects.get(job=job), index=0, span=0, batch=0, start=0, end=30)
    nobody = script.get(f"/jobs/{job.pk}").json()
    assert (nobody["work_seconds"], nobody["seconds_left"], nobody["finish_at"]) == (None, None, None)
    make_worker("demo", speed=2.0)
    found = script.get(f"/jobs/{job.pk}").json()
    assert (found["work_seconds"], found["seconds_left"]) == (15.0, 15.0)
    away = datetime.fromisoformat(found["finish_at"]) - timezone.now()
    assert timedelta(seconds=5) < away <= timedelta(seconds=15)


def test_runs_have_a_history(script: Script, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, state=RunState.FAILED)
    assert script.post(f"/jobs/{job.pk}/retry").status_code == 201
    assert [run["number"] for run in script.get(f"/jobs/{job.pk}/runs").json()] == [1, 2]
    assert [event["state"] for event in script.get(f"/jobs/{job.pk}/runs/2").json()["history"]] == ["queued"]
    for number in (3, 0, 1 << 40):
        assert script.get(f"/jobs/{job.pk}/runs/{number}").status_code == 404


def test_a_transcript_comes_in_pages_and_as_files(script: Script, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, state=RunState.SUCCEEDED)
    with_words(job, " one", " two", " three")
    first = script.get(f"/jobs/{job.pk}/transcript?limit=2").json()
    second = script.get(f"/jobs/{job.pk}/transcript?limit=2&after={first['next']}").json()
    assert [s["text"] for s in first["segments"] + second["segments"]] == ["one", "two", "three"]
    assert second["next"] is None
    text = script.get(f"/jobs/{job.pk}/download?format=txt")
    assert text["Content-Disposition"].startswith("attachment")
    assert b"".join(text.streaming_content).split() == [b"one", b"two", b"three"]
    assert script.get(f"/jobs/{job.pk}/download?format=docx").json()["code"] == "bad_format"
    assert script.get(f"/jobs/{job.pk}/transcript?after=x").json()["code"] == "bad_cursor"


def test_words_come_with_their_times_when_asked_for(script: Script, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, state=RunState.SUCCEEDED)
    speak(job.current_run, ["one two"], timed=True)
    speak(job.current_run, ["three"], start=5.0)
    path = f"/jobs/{job.pk}/transcript"
    plain, timed = script.get(path), script.get(f"{path}?words=true")
    assert [segment["words"] for segment in plain.json()["segments"]] == [None, None]
    known, unknown = timed.json()["segments"]
    assert known["words"] == [
        {"start": 0.0, "end": 2.0, "text": " one", "probability": 0.9},
        {"start": 2.0, "end": 4.0, "text": " two", "probability": 0.9},
    ]
    assert unknown["words"] == []
    assert plain["ETag"] != timed["ETag"]
    assert script.get(f"{path}?words=perhaps").status_code == 422


def test_a_finished_transcript_is_sent_once_to_who_keeps_its_tag(
    script: Script, alice: User, make_job: MakeJob
) -> None:
    job = make_job(alice, state=RunState.SUCCEEDED)
    with_words(job, " one")
    for path in (f"/jobs/{job.pk}/transcript", f"/jobs/{job.pk}/download?format=srt"):
        tag = script.get(path)["ETag"]
        again = script.get(path, **{"if-none-match": tag})
        assert (again.status_code, again["ETag"]) == (304, tag)


def test_a_growing_transcript_has_no_tag(script: Script, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, state=RunState.RUNNING)
    assert "ETag" not in script.get(f"/jobs/{job.pk}/transcript")
    assert "ETag" not in script.get(f"/jobs/{job.pk}/download")


def test_cancel_is_idempotent_and_refused_after_the_end(script: Script, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, state=RunState.QUEUED)
    for _ in range(2):
        answer = script.post(f"/jobs/{job.pk}/cancel")
        assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
    done = make_job(alice, state=RunState.SUCCEEDED)
    assert script.post(f"/jobs/{done.pk}/cancel").json()["code"] == "conflict"


def test_run_again_takes_other_options(script: Script, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, state=RunState.FAILED)
    assert script.post(f"/jobs/{job.pk}/retry", '{"language": "xx"}').json()["code"] == "bad_language"
    assert script.post(f"/jobs/{job.pk}/retry", '{"task": "sing"}').status_code == 422
    assert script.post(f"/jobs/{job.pk}/retry", "{").json()["code"] == "bad_request"
    assert script.post(f"/jobs/{job.pk}/retry", '{"beam": 9}').status_code == 422
    asked = {"language": "de", "prompt": "A talk.\n", "hot_words": "Łódź\nNVMe", "beam": 5}
    answer = script.post(f"/jobs/{job.pk}/retry", json.dumps(asked))
    assert (answer.status_code, answer.json()["beam"]) == (201, 5)
    assert Run.objects.get(pk=answer.json()["id"]).options["language"] == "de"
    detail = script.get(f"/jobs/{job.pk}/runs/2").json()
    assert (detail["prompt"], detail["hot_words"], detail["beam"]) == ("A talk.", "Łódź, NVMe", 5)
    assert script.post(f"/jobs/{job.pk}/retry").status_code == 409


def test_run_again_under_a_key_makes_one_run(script: Script, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, state=RunState.FAILED)
    first, second = (script("POST", f"/jobs/{job.pk}/retry", headers={"idempotency-key": "again"}) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] == second.json()["id"]
    assert job.runs.count() == 2


def test_a_part_is_heard_again(script: Script, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, state=RunState.SUCCEEDED, language="de", options={"language": "de", "task": "translate"})
    with_words(job, "one", "two", "three")
    for body in ('{"from": 1.2}', '{"from": 2, "to": 1}', '{"from": 50, "to": 60, "language": "xx"}'):
        assert script.post(f"/jobs/{job.pk}/runs", body).json()["code"] in ("bad_part", "bad_language"), body
    assert script.post(f"/jobs/{job.pk}/runs", '{"from": -1, "to": 2}').status_code == 422
    key, body = {"idempotency-key": "k"}, '{"from": 1.2, "to": 1.4}'
    path, kind = f"/jobs/{job.pk}/runs", "application/json"
    first, again = (script("POST", path, data=body, content_type=kind, headers=key) for _ in range(2))
    assert (first.status_code, first.json()["part"]) == (201, {"start": 1.0, "end": 2.0, "of": 1})
    assert again.json()["id"] == first.json()["id"]
    assert script.get(f"/jobs/{job.pk}").json()["run"]["part"]["of"] == 1
    made = Run.objects.get(pk=first.json()["id"])
    assert (made.options["language"], made.task) == ("de", "translate")
    assert [s["text"] for s in script.get(f"/jobs/{job.pk}/transcript").json()["segments"]] == ["one", "three"]
    assert script.post(path, body).status_code == 409


def test_a_run_without_a_part_is_all_of_it(script: Script, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, state=RunState.FAILED)
    answer = script.post(f"/jobs/{job.pk}/runs", '{"language": "en"}')
    assert (answer.status_code, answer.json()["part"]) == (201, None)
    assert Run.objects.get(pk=answer.json()["id"]).options["language"] == "en"


def test_what_stands_out_is_told(script: Script, alice: User, make_job: MakeJob) -> None:
    entry = {"start": 1.0, "end": 2.0, "code": "other_language", "measure": 1.0, "language": "en"}
    report = {"version": 1, "counts": {"other_language": 1}, "entries": [entry], "more": 0}
    job = make_job(alice, state=RunState.SUCCEEDED, report=report, mode="fast")
    with_words(job, "one")
    Segment.objects.update(notes=["other_language:en"])
    told = script.get(f"/jobs/{job.pk}/report").json()
    counts = {"other_language": 1}
    assert told == {"run": 1, "mode": "fast", "made": True, "counts": counts, "entries": [entry], "more": 0}
    assert script.get(f"/jobs/{job.pk}/transcript").json()["segments"][0]["notes"] == ["other_language:en"]
    none = script.get(f"/jobs/{make_job(alice, state=RunState.RUNNING).pk}/report").json()
    assert (none["made"], none["entries"]) == (False, [])


def test_delete_takes_it_away(script: Script, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, state=RunState.SUCCEEDED)
    assert script("DELETE", f"/jobs/{job.pk}").status_code == 204
    assert script("DELETE", f"/jobs/{job.pk}").status_code == 404
    assert not job.folder.exists()


CALLS = [
    ("GET", "", Grant.JOBS_READ),
    ("DELETE", "", Grant.JOBS_WRITE),
    ("POST", "/cancel", Grant.JOBS_WRITE),
    ("POST", "/retry", Grant.JOBS_WRITE),
    ("GET", "/runs", Grant.JOBS_READ),
    ("POST", "/runs", Grant.JOBS_WRITE),
    ("GET", "/runs/1", Grant.JOBS_READ),
    ("GET", "/report", Grant.JOBS_READ),
    ("GET", "/transcript", Grant.JOBS_READ),
    ("GET", "/download", Grant.JOBS_READ),
]


@pytest.mark.parametrize(("method", "path", "scope"), CALLS)
def test_a_stranger_finds_nothing_and_a_token_needs_its_scope(
    alice: User, bob: User, make_job: MakeJob, method: str, path: str, scope: Grant
) -> None:
    job = make_job(alice, state=RunState.FAILED)
    foreign, missing = Script(bob)(method, f"/jobs/{job.pk}{path}"), Script(bob)(method, f"/jobs/{uuid4()}{path}")
    assert foreign.status_code == missing.status_code == 404
    assert foreign.json() == missing.json()
    narrow = Script(alice, ALL - {scope})(method, f"/jobs/{job.pk}{path}")
    assert (narrow.status_code, narrow.json()["code"]) == (403, "scope_missing")
    anonymous = Client().generic(method, f"/api/v1/jobs/{job.pk}{path}")
    assert (anonymous.status_code, anonymous.json()["code"]) == (401, "no_token")
    assert anonymous["WWW-Authenticate"] == "Bearer"
    assert Job.objects.filter(pk=job.pk).exists()


def test_a_session_opens_nothing(client: Client, alice: User) -> None:
    client.force_login(alice)
    assert client.get("/api/v1/jobs").status_code == 401


def test_facts(script: Script, alice: User) -> None:
    assert script.get("/me").json() == {"name": "alice", "email": None, "scopes": sorted(ALL)}
    models = script.get("/models").json()
    assert [model["default"] for model in models["models"]] == [True]
    assert {"code": "de", "name": "German"} in models["languages"]
    assert script.get("/limits").json()["formats"] == ["txt", "srt", "vtt", "tsv", "json"]


def test_too_many_requests_wait(script: Script, alice: User, settings: Any) -> None:
    settings.API_REQUESTS_PER_MINUTE = 8
    other = Script(alice)
    answers = [script.get("/me") for _ in range(6)] + [other.get("/me") for _ in range(6)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused, "neither the token's four nor the person's eight held"
    assert 1 <= int(refused[0]["Retry-After"]) <= 60
    assert refused[0].json()["code"] == "too_many_requests"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("PUT", "/jobs", 405, "wrong_method"),
        ("GET", "/jobs/1", 404, "not_found"),
    ],
)
def test_wrong_addresses_and_methods_are_json(script: Script, method: str, path: str, status: int, code: str) -> None:
    answer = script(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_failure_of_ours_is_json_too(script: Script, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("jobs.api.recordings.page_of", fail)
    script._client.raise_request_exception = False
    answer = script.get("/jobs")
    assert (answer.status_code, answer.json()["code"]) == (500, "server_error")
