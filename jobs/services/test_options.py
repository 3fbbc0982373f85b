"""What can be chosen, and what was chosen, while workers come and go."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from jobs.errors import JobError
from jobs.models import Job, Worker
from jobs.services.offers import Offer, by_name, default_model, offers
from jobs.services.options import Options, read_options, stored_options
from jobs.services.retry import retry
from jobs.services.submit import submit
from jobs.services.test_submit import upload_of

MakeWorker = Callable[..., Worker]
MakeJob = Callable[..., Job]


def refusal(**fields: str) -> JobError:
    with pytest.raises(JobError) as refused:
        read_options(fields)
    return refused.value


@pytest.fixture
def several(make_worker: MakeWorker) -> None:
    make_worker("turbo", translates=False)
    make_worker("base.en", translates=False, english_only=True)
    make_worker("demo")
    make_worker("silent", seen_at=timezone.now() - timedelta(minutes=2))


def test_live_workers_say_what_is_offered_the_default_first(several: None) -> None:
    assert offers() == [
        Offer("demo", translates=True, english_only=False),
        Offer("turbo", translates=False, english_only=False),
        Offer("base.en", translates=False, english_only=True),
    ]


def test_two_files_under_one_name_can_what_both_can(make_worker: MakeWorker) -> None:
    make_worker("demo", translates=False)
    make_worker("demo")
    assert offers() == [Offer("demo", translates=False, english_only=False)]


def test_without_a_live_worker_the_last_known_and_the_default_can_be_chosen(make_worker: MakeWorker) -> None:
    assert offers() == [Offer("demo", translates=True, english_only=False)]
    make_worker("silent", seen_at=timezone.now() - timedelta(minutes=2))
    make_worker("stopped", ended_at=timezone.now(), translates=False)
    assert [offer.model for offer in offers()] == ["demo", "silent", "stopped"]
    assert read_options({"model": "silent"}).model == "silent"
    assert refusal(model="stopped", task="translate").code == "cannot_translate"
    make_worker("demo")
    assert refusal(model="silent").code == "model_not_offered"


def test_a_default_that_only_others_stand_in_for(make_worker: MakeWorker) -> None:
    make_worker("large")
    assert default_model() == "large"


@pytest.mark.parametrize(
    ("name", "translates", "english_only"),
    [
        ("base", True, False),
        ("large-v3", True, False),
        ("small.en", False, True),
        ("turbo", False, False),
        ("large-v3-turbo", False, False),
        ("distil-large-v3", False, False),
    ],
)
def test_names_tell_what_a_model_can(name: str, translates: bool, english_only: bool) -> None:
    assert by_name(name) == Offer(name, translates, english_only)


def test_what_was_asked_is_read(several: None) -> None:
    asked = {"language": " DE ", "model": " demo ", "task": "translate", "title": "other"}
    assert read_options(asked) == Options("de", "demo", "translate")
    assert read_options({"language": "", "model": "", "task": ""}) == read_options({}) == Options()
    assert read_options({"model": "base.en"}) == Options(model="base.en")
    assert read_options({"model": "base.en", "language": "en"}) == Options("en", "base.en")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"model": "large"}, "model_not_offered"),
        ({"model": "turbo", "task": "translate"}, "cannot_translate"),
        ({"model": "base.en", "task": "translate"}, "cannot_translate"),
        ({"model": "base.en", "language": "de"}, "english_only"),
        ({"task": "summarise"}, "bad_task"),
        ({"language": "klingon"}, "bad_language"),
        ({"beam": "0"}, "bad_beam"),
        ({"beam": "9"}, "bad_beam"),
        ({"beam": "many"}, "bad_beam"),
        ({"prompt": "x" * 801}, "prompt_too_long"),
        ({"hot_words": "x" * 401}, "too_many_hot_words"),
        ({"hot_words": ",".join(map(str, range(51)))}, "too_many_hot_words"),
    ],
)
def test_what_cannot_be_is_refused(several: None, fields: dict[str, str], code: str) -> None:
    assert refusal(**fields).code == code


def test_a_refusal_names_what_can_be_chosen(several: None) -> None:
    assert "demo, turbo, base.en" in refusal(model="large").detail
    assert refusal(model="turbo", task="translate").detail.endswith("or no translation: demo.")


def test_rows_older_than_an_option_are_read(several: None) -> None:
    assert stored_options({"language": "de"}) == Options("de")
    assert stored_options({}) == Options()
    assert stored_options(Options(prompt="A talk.", beam=5).as_json()) == Options(prompt="A talk.", beam=5)
    assert stored_options({"model": "large", "task": "translate"}) == Options(None, "large", "translate")  # not checked


def test_what_was_chosen_is_stored_with_the_run(alice: User, media: Path, several: None) -> None:
    job = submit(upload_of(alice).pk, sha256="a" * 64, options=Options("de", "turbo"))
    run = job.runs.get()
    assert (run.model, run.task, run.options) == (
        "turbo",
        "transcribe",
        Options("de", "turbo").as_json(),
    )
    translated = submit(upload_of(alice).pk, sha256="a" * 64, options=Options(task="translate")).runs.get()
    translated.language = "de"
    assert (translated.model, translated.task, translated.text_language) == ("demo", "translate", "en")


def test_run_again_asks_whether_its_options_can_still_be_had(alice: User, make_job: MakeJob, several: None) -> None:
    job = make_job(alice, state="failed", options={"language": None, "model": "large", "task": "transcribe"})
    with pytest.raises(JobError) as refused:
        retry(job)
    assert refused.value.code == "model_not_offered"
    assert retry(job, Options(model="turbo")).model == "turbo"


def test_the_plain_case_asks_nothing(db: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        asked = {"language": "en", "prompt": "A talk.", "hot_words": "Łódź", "beam": "5"}
        assert read_options(asked) == Options("en", prompt="A talk.", hot_words="Łódź", beam=5)
