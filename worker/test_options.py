"""From what a person chose to what the engine is asked."""

from collections.abc import Callable

from accounts.models import User
from jobs.models import Job, Run
from jobs.services.options import Options
from worker.activities import options_of
from worker.engine import base

MakeJob = Callable[..., Job]


def test_what_was_chosen_is_asked_of_the_engine(alice: User, make_job: MakeJob) -> None:
    chosen = Options("de", task="translate", prompt="A talk.", hot_words="Łódź, NVMe", beam=5)
    run = run_with(make_job(alice, state="running", language="de", options=chosen.as_json()))
    asked = options_of(run)
    assert (asked.language, asked.task, asked.seed) == ("de", "translate", run.number)
    assert (asked.prompt, asked.hot_words, asked.beam) == ("A talk.", "Łódź, NVMe", 5)


def test_a_run_older_than_these_options_is_heard_without_them(alice: User, make_job: MakeJob) -> None:
    run = run_with(make_job(alice, state="running", language="en", options={"language": "en"}))
    asked, plain = options_of(run), base.Options("en")
    assert (asked.prompt, asked.hot_words, asked.beam) == (plain.prompt, plain.hot_words, plain.beam)


def run_with(job: Job) -> Run:
    assert job.current_run is not None
    return job.current_run
