"""The page of one recording: what it says in each state, its buttons, and a long transcript in parts."""

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from jobs.models import Job, Run, RunEvent, Window, Worker
from jobs.services.options import Options
from jobs.speaking import speak

Make = Callable[..., Job]
PAGES = ("", "transcript/", "delete/", "download/txt/")
SAID = r'class="said"[^>]*>(\w+ \d+)</span>'
ACTS = ("cancel/", "again/", "part/", "delete/")


@pytest.fixture
def page(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def text(client: Client, job: Job, rest: str = "") -> str:
    answer = client.get(f"/jobs/{job.pk}/{rest}")
    assert answer.status_code == 200
    return answer.content.decode()


def state(job: Job) -> str:
    assert job.current_run is not None
    return Run.objects.get(pk=job.current_run.pk).state


def test_not_yours_not_there_and_not_signed_in(client: Client, alice: User, bob: User, make_job: Make) -> None:
    job = make_job(alice)
    for path in [f"/jobs/{job.pk}/{rest}" for rest in PAGES]:
        assert client.get(path)["Location"].startswith("/sign-in/")
    client.force_login(bob)
    for pk in (job.pk, uuid4()):
        gets = [client.get(f"/jobs/{pk}/{rest}?run={job.current_run}") for rest in PAGES]
        posts = [client.post(f"/jobs/{pk}/{rest}") for rest in ACTS]
        assert {answer.status_code for answer in gets + posts} == {404}
    assert state(job) == "queued"


def test_staff_are_strangers_here_too(client: Client, alice: User, charlie: User, make_job: Make) -> None:
    client.force_login(charlie)
    assert client.get(f"/jobs/{make_job(alice).pk}/").status_code == 404


def test_the_page_says_how_much_work_it_is_and_about_when_it_is_done(
    page: Client, alice: User, make_job: Make, make_worker: Callable[..., Worker]
) -> None:
    job = make_job(alice, state="running")
    Window.objects.create(run=Run.objects.get(job=job), index=0, span=0, batch=0, start=0, end=30)
    assert "none: no worker with demo is running" in text(page, job)
    make_worker("demo", speed=0.25)
    said = text(page, job)
    assert "about 2 min of work," in said
    assert re.search(r'done around <time class="clock" datetime="[^"]+">\d\d:\d\d UTC</time>', said)
    Run.objects.update(state="succeeded")
    assert "Estimate" not in text(page, job)


@pytest.mark.parametrize("rest", ["cancel/", "again/", "part/"])
def test_acts_are_posted(page: Client, alice: User, make_job: Make, rest: str) -> None:
    job = make_job(alice)
    assert page.get(f"/jobs/{job.pk}/{rest}").status_code == 405
    assert page.post(f"/jobs/{job.pk}/").status_code == 405
    assert state(job) == "queued"


def test_text_is_text(page: Client, alice: User, make_job: Make) -> None:
    job = make_job(alice, state="succeeded", title="</title><script>x")
    speak(job.current_run, ["<img src=x onerror=alert(1)>"])
    found = text(page, job)
    assert "<img src=x" not in found
    assert "&lt;img src=x onerror=alert(1)&gt;" in found
    assert "<script>x" not in found


def test_a_running_one_says_how_far_it_is_and_can_be_cancelled(page: Client, alice: User, make_job: Make) -> None:
    job = make_job(alice, state="running", stage="transcribing")
    speak(job.current_run, ["Hello."])
    found = text(page, job)
    assert "Writing down what is said: 100 % done" in found
    assert 'value="100"' in found
    assert f'formaction="/jobs/{job.pk}/cancel/"' in found
    assert "/again/" not in found
    assert f'hx-ws:connect="/live/{job.pk}/"' in found


def test_facts_history_and_warnings(page: Client, alice: User, make_job: Make) -> None:
    warnings = [{"code": "cut_short", "detail": "The file ends early."}]
    job = make_job(
        alice, state="succeeded", language="de", language_probability=0.934, model_sha256="abcdef123456" + "7" * 52
    )
    Job.objects.update(duration=3723.0)
    Run.objects.update(warnings=warnings)
    for stage in ("transcribing", "transcribing", ""):
        RunEvent.objects.create(run=job.runs.get(), state="running" if stage else "succeeded", stage=stage)
    found = text(page, job)
    for part in ("1 h 2 min", "German", "93 % sure", "abcdef123456<", "The file ends early.", "cut_short"):
        assert part in found
    assert found.count("<span>Writing down what is said</span>") == 1


def test_the_history_tells_every_attempt_and_who_did_it(page: Client, alice: User, make_job: Make) -> None:
    job = make_job(alice, state="running", stage="transcribing")
    for attempt, worker in ((1, "harbour"), (1, "harbour"), (2, "station"), (2, "station"), (3, "station")):
        fields = {"state": "running", "stage": "transcribing", "attempt": attempt, "worker": worker}
        RunEvent.objects.create(run=job.runs.get(), **fields)
    history = text(page, job).split('class="history"')[1].split("</ol>")[0]
    assert history.count("<li ") == 3
    assert re.findall(r"<small>(.*?)</small>", history) == ["attempt 2", "attempt 3"]
    assert [history.count(worker) for worker in ("harbour", "station")] == [1, 2]


def test_earlier_transcriptions_are_told_with_their_end(page: Client, alice: User, make_job: Make) -> None:
    job = make_job(alice, state="failed", reason="poison", detail="The engine died twice.")
    assert "Earlier transcriptions" not in text(page, job)
    page.post(f"/jobs/{job.pk}/again/")
    earlier = text(page, job).split("Earlier transcriptions")[1]
    assert "Failed: The engine died twice." in earlier


def test_doubtful_words_are_marked_with_the_reason(page: Client, alice: User, make_job: Make) -> None:
    job = make_job(alice, state="succeeded")
    for segment, score in zip(speak(job.current_run, ["surely", "maybe"]), (-0.2, -1.2), strict=True):
        segment.average_log_probability = score
        segment.save()
    found = text(page, job)
    assert re.findall(r'class="said doubt"[^>]*title="([^"]+)">(\w+)<', found) == [
        ("The model was unsure of these words.", "maybe")
    ]


def entry(code: str, start: float, end: float, measure: float | None = None, **more: str) -> dict[str, Any]:
    return {"start": start, "end": end, "code": code, "measure": measure, **more}


def test_what_stands_out_is_told_with_its_moment(page: Client, alice: User, make_job: Make) -> None:
    entries = [
        entry("loop_cut", 3.0, 9.5, 6.5),
        entry("no_text", 62.5, 100.0, 37.5),
        entry("other_language", 120.0, 130.0, 10.0, language="en"),
        entry("low_confidence", 140.0, 141.0, 0.31),
        entry("of a newer version", 150.0, 151.0),
    ]
    report = {"version": 1, "counts": {}, "entries": entries, "more": 7}
    job = make_job(alice, state="succeeded", language="de", report=report)
    panel = text(page, job).split("Worth a second look")[1].split("</section>")[0]
    assert re.findall(r'href="(#t=[^"]+)"', panel) == ["#t=3", "#t=62.5", "#t=120", "#t=140"]
    for sentence in (
        "The repeats were left out.",
        "Somebody seems to speak for 38 s, but nothing was written.",
        "This sounds like English.",
        "unsure of these words: 31 %.",
        "8 more",
        "7 places more are not listed.",
    ):
        assert sentence in panel, sentence
    values = re.findall(r'name="part" value="([^"]+)"', panel)
    assert values == ["3.000-9.500", "62.500-100.000", "120.000-130.000-en", "140.000-141.000"]
    assert "Hear this part in English" in panel


@pytest.mark.parametrize(("report", "said"), [(None, False), ({"version": 1, "entries": [], "more": 0}, True)])
def test_where_nothing_stands_out_a_line_says_so(
    page: Client, alice: User, make_job: Make, report: dict[str, Any] | None, said: bool
) -> None:
    found = text(page, make_job(alice, state="succeeded", report=report))
    assert ("Nothing stood out." in found, "Worth a second look" in found) == (said, said)


def test_a_part_is_heard_again_from_its_entry_or_the_form(page: Client, alice: User, make_job: Make) -> None:
    for form, span, language in (
        ({"part": "62.000-66.000-en"}, (59.8, 69.2), "en"),
        ({"part": "62.000-66.000"}, (59.8, 69.2), None),
        ({"from": "1:02", "to": "1:06.5", "language": "en", "model": ""}, (59.8, 69.2), "en"),
    ):
        job = make_job(alice, state="succeeded", language="de", options={"task": "transcribe"})
        Job.objects.filter(pk=job.pk).update(duration=200.0)
        speak(job.current_run, ["before", "said", "said"], start=55.0)
        assert "Hear a part again" in text(page, job)
        page.post(f"/jobs/{job.pk}/part/", form)
        run = job.runs.get(number=2)
        assert (run.span_start, run.span_end, run.options["language"]) == (*span, language), form
        found = text(page, job)
        assert "Only 0:59 to 1:09 was heard again" in found
        assert "before" in found
        assert "Hear a part again" not in found  # while it is under way


@pytest.mark.parametrize("form", [{}, {"part": "x"}, {"from": "1:02"}, {"from": "9", "to": "3"}, {"part": "nan-inf"}])
def test_what_is_no_part_is_a_message(page: Client, alice: User, make_job: Make, form: dict[str, str]) -> None:
    job = make_job(alice, state="succeeded")
    answer = page.post(f"/jobs/{job.pk}/part/", form, follow=True)
    assert "This is no part of the recording." in answer.content.decode()
    assert job.runs.count() == 1


def test_every_format_is_in_the_menu(page: Client, alice: User, make_job: Make) -> None:
    job = make_job(alice, state="succeeded")
    found = text(page, job)
    assert all(f"/jobs/{job.pk}/download/{name}/" in found for name in ("txt", "srt", "vtt", "tsv", "json"))


def test_an_act_goes_back_to_the_page_it_came_from_and_nowhere_else(page: Client, alice: User, make_job: Make) -> None:
    job = make_job(alice)
    path = f"/jobs/{job.pk}/"
    assert page.post(f"{path}cancel/", {"next": "/?state=open&q=talk"})["Location"] == "/?state=open&q=talk"
    for evil in (
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "///evil.example",
    ):
        assert page.post(f"{path}cancel/", {"next": evil})["Location"] == path


def test_silence_is_said_and_can_be_downloaded(page: Client, alice: User, make_job: Make) -> None:
    found = text(page, make_job(alice, state="succeeded"))
    assert "No speech was found in this recording." in found
    assert "/download/txt/" in found


def test_a_failure_says_why_what_was_kept_and_what_to_do(page: Client, alice: User, make_job: Make) -> None:
    refused = text(page, make_job(alice, state="failed", reason="no_audio", detail="There is no sound in this file."))
    assert "There is no sound in this file." in refused
    assert "was not kept" in refused
    assert '<small class="code">no_audio</small>' in refused
    assert "/again/" not in refused
    broken = text(page, make_job(alice, state="failed", reason="poison", detail="The engine died twice."))
    assert "are kept" in broken
    assert "/again/" in broken


def test_cancelling_twice_is_fine_and_after_the_end_a_message(page: Client, alice: User, make_job: Make) -> None:
    job, ended = make_job(alice), make_job(alice, state="succeeded")
    for _ in range(2):
        answer = page.post(f"/jobs/{job.pk}/cancel/", follow=True)
        assert 'class="message"' not in answer.content.decode()
    assert state(job) == "cancelled"
    assert "has ended already" in page.post(f"/jobs/{ended.pk}/cancel/", follow=True).content.decode()
    assert state(ended) == "succeeded"


def test_run_again_makes_another_run_and_only_one(page: Client, alice: User, make_job: Make) -> None:
    job = make_job(alice, state="cancelled", options={"language": "de"})
    page.post(f"/jobs/{job.pk}/again/")
    answer = page.post(f"/jobs/{job.pk}/again/", follow=True)
    assert "being transcribed already" in answer.content.decode()
    assert [(run.number, run.state, run.options) for run in job.runs.order_by("number")] == [
        (1, "cancelled", {"language": "de"}),
        (2, "queued", Options("de").as_json()),
    ]


def test_run_again_with_other_options(page: Client, alice: User, make_job: Make, make_worker: Any) -> None:
    make_worker("demo")
    make_worker("turbo", translates=False)
    job = make_job(alice, state="succeeded", options={"language": "de"})
    form = text(page, job).split("Run again with other options")[1]
    assert '<option value="de" selected>' in form
    assert "turbo (no translation)" in form
    refused = page.post(f"/jobs/{job.pk}/again/", {"model": "turbo", "task": "translate"}, follow=True)
    assert "cannot translate" in refused.content.decode()
    page.post(f"/jobs/{job.pk}/again/", {"language": "", "model": "turbo"})
    runs = job.runs.order_by("number")
    assert [(run.model, run.options.get("language")) for run in runs] == [("demo", "de"), ("turbo", None)]
    assert "Run again" not in text(page, job)  # while it is under way


def test_what_a_run_was_told_is_said_and_offered_again(page: Client, alice: User, make_job: Make) -> None:
    chosen = Options(prompt="A talk about <disks>.", hot_words="Łódź, NVMe", beam=3)
    job = make_job(alice, state="succeeded", options=chosen.as_json())
    html = text(page, job)
    assert re.findall(r'<dd class="told">(.*?)</dd>', html) == ["Łódź, NVMe", "A talk about &lt;disks&gt;."]
    form = html.split("Run again with other options")[1].split("</details>")[0]
    assert '<option value="3" selected>Thorough (3)</option>' in form
    assert ">A talk about &lt;disks&gt;.</textarea>" in form
    page.post(f"/jobs/{job.pk}/again/", {"prompt": chosen.prompt, "hot_words": "Łódź", "beam": "5"})
    again = job.runs.get(number=2)
    assert again.options == Options(prompt=chosen.prompt, hot_words="Łódź", beam=5).as_json()
    plain = text(page, make_job(alice, state="succeeded", options={"language": "de"}))
    assert "told" not in plain
    assert "<dt>Recognition" not in plain


def test_a_translation_says_so(page: Client, alice: User, make_job: Make) -> None:
    job = make_job(alice, state="succeeded", language="de", options={"task": "translate"})
    assert "Translated into English" in text(page, job)
    assert "Translated into English" not in text(page, make_job(alice, state="succeeded", language="de"))


def test_a_run_that_nobody_can_begin_says_why(page: Client, alice: User, make_job: Make, make_worker: Any) -> None:
    job = make_job(alice)
    assert "No worker is running." in text(page, job)
    assert "no worker is running" in page.get("/").content.decode()
    make_worker("other")
    assert "Waiting for a worker with the model demo." in text(page, job)
    assert "no worker with demo" in page.get("/").content.decode()
    make_worker("demo")
    assert "Waiting in the queue: next in line." in text(page, job)


def test_run_again_without_the_file_is_a_message(page: Client, alice: User, make_job: Make) -> None:
    job = make_job(alice, state="failed")
    job.path.unlink()
    assert "Upload the file again" in page.post(f"/jobs/{job.pk}/again/", follow=True).content.decode()


def test_delete_asks_first_then_deletes_everything(page: Client, alice: User, make_job: Make) -> None:
    job = make_job(alice, state="running")
    asked = text(page, job, "delete/")
    assert "It is being transcribed at the moment; that stops." in asked
    assert job.folder.exists()
    assert page.post(f"/jobs/{job.pk}/delete/")["Location"] == "/"
    assert not Job.objects.exists()
    assert not job.folder.exists()
    assert page.post(f"/jobs/{job.pk}/delete/").status_code == 404


def test_a_long_transcript_begins_at_once_and_the_rest_follows(page: Client, alice: User, make_job: Make) -> None:
    job = make_job(alice, state="succeeded")
    later = speak(job.current_run, [f"later {n}" for n in range(900)], start=2000.0)
    speak(job.current_run, [f"first {n}" for n in range(400)])
    found = text(page, job)
    shown = re.findall(SAID, found)
    assert shown == [f"first {n}" for n in range(200)]
    while (rest := re.search(r'hx-get="/jobs/[^/]+/(transcript/[^"]+)"', found)) is not None:
        found = text(page, job, rest[1].replace("&amp;", "&"))
        shown += re.findall(SAID, found)
    assert shown == [f"first {n}" for n in range(400)] + [f"later {n}" for n in range(900)]
    missed = text(page, job, f"transcript/?run={job.current_run}&newer={later[-1].pk}")
    assert re.findall(SAID, missed) == [f"first {n}" for n in range(400)]


def test_its_length_costs_no_queries(page: Client, alice: User, make_job: Make) -> None:
    job = make_job(alice, state="running")
    counts = []
    for more in (5, 195, 400):
        speak(job.current_run, ["word"] * more)
        with CaptureQueriesContext(connection) as captured:
            text(page, job)
        counts.append(len(captured))
    assert counts[0] == counts[1] == counts[2] <= 15


@pytest.mark.parametrize("mark", ["after=x", "after=1_2_3", "after=1_99999999999999999999", "newer=x", "after=nan_1"])
def test_bad_marks_are_no_error_of_ours(page: Client, alice: User, make_job: Make, mark: str) -> None:
    job = make_job(alice)
    assert page.get(f"/jobs/{job.pk}/transcript/?run={job.current_run}&{mark}").status_code in (200, 404)
    assert page.get(f"/jobs/{job.pk}/transcript/?{mark}").status_code == 404
    assert page.get(f"/jobs/{job.pk}/transcript/?run={uuid4()}").status_code == 404


def test_the_run_of_another_recording_is_not_read_through_ones_own(
    page: Client, alice: User, bob: User, make_job: Make
) -> None:
    mine, his = make_job(alice), make_job(bob)
    speak(his.current_run, ["secret"])
    assert page.get(f"/jobs/{mine.pk}/transcript/?run={his.current_run}").status_code == 404


def test_forged_posts_are_refused(alice: User, make_job: Make) -> None:
    job = make_job(alice)
    forger = Client(enforce_csrf_checks=True)
    forger.force_login(alice)
    assert {forger.post(f"/jobs/{job.pk}/{rest}").status_code for rest in ACTS} == {403}
    assert state(job) == "queued"


def test_an_error_of_ours_has_a_page(page: Client, alice: User, make_job: Make, monkeypatch: Any) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("jobs.views.partials.job_context", broken)
    page.raise_request_exception = False
    answer = page.get(f"/jobs/{make_job(alice).pk}/")
    assert answer.status_code == 500
    assert "are kept" in answer.content.decode()
