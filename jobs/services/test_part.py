"""A part heard again: the text around it stays as it was, once; what is in it is planned and heard anew."""

from collections.abc import Callable
from itertools import pairwise
from uuid import uuid4

import numpy as np
import pytest
from django.utils import timezone

from accounts.models import User
from jobs.errors import Conflict, JobError
from jobs.models import Job, Run, Segment, Window, Worker
from jobs.progress import progress_of
from jobs.services.begin import begin
from jobs.services.cancel import cancel, finish_cancel
from jobs.services.finish import fail, finish
from jobs.services.options import Options
from jobs.services.part import hear_part, reaches_into
from jobs.services.plan import PlannedWindow, store_plan
from jobs.services.retry import retry
from jobs.services.windows import HeardSegment, commit_windows
from worker.plan import plan

Make = Callable[..., Job]
type Said = tuple[float, float, str]
LENGTH = 120.0


def heard(job: Job, windows: dict[tuple[float, float], list[Said]], undone: tuple[float, float] | None = None) -> Run:
    """The current run, with these windows heard, and one that was not."""
    run = job.current_run
    assert run is not None
    Job.objects.filter(pk=job.pk).update(duration=LENGTH)
    for index, (bounds, said) in enumerate(windows.items()):
        made = {"run": run, "index": index, "span": 0, "batch": 0, "start": bounds[0], "end": bounds[1]}
        window = Window.objects.create(**made, done_at=timezone.now(), attempts=1)
        Segment.objects.bulk_create(
            Segment(run=run, window=window, index=i, start=a, end=b, text=text, average_log_probability=-0.3)
            for i, (a, b, text) in enumerate(said)
        )
    if undone:
        Window.objects.create(run=run, index=99, span=0, batch=0, start=undone[0], end=undone[1])
    return run


def texts(run: Run) -> list[Said]:
    return [(s.start, s.end, s.text) for s in run.segments.order_by("start", "pk")]


def hear_again(run: Run, *, speech: bool = True) -> None:
    """What the worker does: plan the part by the detector's word, then hear its windows."""
    begin(run.pk, attempt=1, worker="test")
    frames = np.full(round(LENGTH / 0.032), 255 if speech else 0, np.uint8)
    assert run.span_start is not None
    assert run.span_end is not None
    cut = plan(frames, LENGTH, 1, (run.span_start, run.span_end))
    planned = [PlannedWindow(w.start, w.end, w.span, w.batch) for w in cut]
    for _ in range(2):  # an inspection may be repeated
        assert store_plan(run.pk, duration=LENGTH, windows=planned, warnings=[])
    for window in run.windows.filter(done_at=None):
        commit_windows(run.pk, {window.index: [HeardSegment(window.start, window.end, "new")]})
    assert finish(run.pk, attempt=1, worker="test")


def test_only_the_part_is_heard_again(alice: User, make_job: Make) -> None:
    job = make_job(alice, state="succeeded", language="de", language_probability=0.9)
    windows = {(0.0, 28.0): [(0.0, 9.0, "one"), (10.0, 20.0, "two"), (20.0, 27.0, "three")]}
    parent = heard(job, {**windows, (30.0, 50.0): [(31.0, 50.0, "four")]})
    run = hear_part(job, 12.0, 14.0)
    assert (run.parent, run.span_start, run.span_end, run.number) == (parent, 9.8, 20.0, 2)
    assert [text for *_, text in texts(run)] == ["one", "three", "four"]
    hear_again(run)
    assert texts(run) == [
        (0.0, 9.0, "one"), (9.8, 20.0, "new"), (20.0, 27.0, "three"), (31.0, 50.0, "four")
    ]  # fmt: skip
    bounds = run.windows.order_by("start").values_list("start", "end")
    assert list(bounds) == [(0.0, 9.8), (9.8, 20.0), (20.0, 28.0), (30.0, 50.0)]
    kept = run.segments.get(text="four")
    assert kept.average_log_probability == -0.3
    assert [text for *_, text in texts(parent)] == ["one", "two", "three", "four"]
    run.refresh_from_db()
    assert (run.language, run.language_probability, run.state) == ("de", 0.9, "succeeded")


def test_progress_counts_the_part_alone(alice: User, make_job: Make) -> None:
    job = make_job(alice, state="succeeded", language="de")
    heard(job, {(0.0, 20.0): [(0.0, 20.0, "one")], (20.0, 40.0): [(20.0, 40.0, "two")]})
    run = hear_part(job, 21.0, 30.0)
    begin(run.pk, attempt=1, worker="test")
    assert not run.windows.to_hear().exists()
    store_plan(run.pk, duration=40.0, windows=[PlannedWindow(20.0, 40.0, 0, 0)], warnings=[])
    run.refresh_from_db()
    progress = progress_of([run], timezone.now())[run.pk]
    assert (progress.done, progress.total) == (0.0, 20.0)
    assert list(run.windows.to_hear().values_list("index", "span")) == [(1, 0)]


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_doubled_or_lost_at_the_seams(alice: User, make_job: Make, seed: int) -> None:
    chance = np.random.default_rng(seed)
    edges = sorted({0.0, LENGTH, *(round(chance.uniform(0, LENGTH), 2) for _ in range(6))})
    windows: dict[tuple[float, float], list[Said]] = {}
    for start, end in pairwise(edges):
        cuts = sorted(round(chance.uniform(start, end), 2) for _ in range(int(chance.choice([0, 2, 4, 7]))))
        inner = [start, *cuts, end]
        pairs = pairwise(inner)
        windows[start, end] = [(a, b, f"{a}") for a, b in pairs if chance.random() < 0.8]
    job = make_job(alice, state="succeeded", language="en")
    parent = heard(job, windows)
    first, last = sorted(chance.uniform(0, LENGTH) for _ in range(2))
    run = hear_part(job, first, last + 0.2)
    assert run.span_start is not None
    assert run.span_end is not None
    part = run.span_start, run.span_end
    assert part[0] <= first
    assert part[1] >= min(last + 0.2, LENGTH)
    hear_again(run)
    old, new = texts(parent), texts(run)
    kept = [each for each in old if not reaches_into(each[:2], part)]
    assert [each for each in new if each[2] != "new"] == kept
    assert all(part[0] <= a <= b <= part[1] for a, b, text in new if text == "new")
    assert sum(b - a for a, b, text in new if text == "new") == pytest.approx(part[1] - part[0])  # all of it is speech
    assert all(one[1] <= other[0] for one, other in pairwise(new))
    told = list(run.windows.order_by("start", "end"))
    assert all(one.end <= other.start for one, other in pairwise(told))
    assert all(s.window.start <= s.start <= s.end <= s.window.end for s in run.segments.select_related("window"))


def test_a_part_without_speech_loses_its_text_alone(alice: User, make_job: Make) -> None:
    job = make_job(alice, state="succeeded", language="en")
    heard(job, {(0.0, 10.0): [(0.0, 5.0, "kept"), (5.0, 10.0, "Thank you.")]})
    run = hear_part(job, 6.0, 9.0)
    hear_again(run, speech=False)
    assert texts(run) == [(0.0, 5.0, "kept")]


def test_another_language_for_a_part_is_not_the_recordings(alice: User, make_job: Make) -> None:
    Worker.objects.create(host="h", pid=1, model="demo", device="cpu", slots=1, seen_at=timezone.now())
    job = make_job(alice, state="succeeded", language="de", options={"task": "translate"})
    heard(job, {(0.0, 20.0): [(0.0, 10.0, "eins"), (10.0, 20.0, "zwei")]})
    run = hear_part(job, 2.0, 3.0, Options(language="en"))
    assert (run.heard_language, run.language, run.task) == ("en", "de", "translate")
    hear_again(run)
    job.refresh_from_db()
    whole = retry(job)  # all of it again: as it was asked for, before the part
    assert (whole.parent, whole.heard_language, whole.task) == (None, "", "translate")


@pytest.mark.parametrize("end", ["failed", "cancelled", "cancelled while it ran"])
def test_a_part_that_comes_to_nothing_changes_nothing(alice: User, make_job: Make, end: str) -> None:
    job = make_job(alice, state="succeeded", language="en")
    parent = heard(job, {(0.0, 20.0): [(0.0, 10.0, "one"), (10.0, 20.0, "two")]})
    run = hear_part(job, 2.0, 3.0)
    job.refresh_from_db()
    assert job.current_run == run
    if end != "cancelled":
        begin(run.pk, attempt=1, worker="test")
    fail(run.pk, reason="poison", detail="It died.") if end == "failed" else cancel(job)
    if end == "cancelled while it ran":
        assert finish_cancel(run.pk)
    job.refresh_from_db()
    assert job.current_run == parent


def test_the_same_request_makes_one_run(alice: User, make_job: Make) -> None:
    job = make_job(alice, state="succeeded", language="en")
    heard(job, {(0.0, 20.0): [(0.0, 20.0, "one")]})
    key = uuid4()
    assert hear_part(job, 1.0, 2.0, run_id=key) == hear_part(job, 1.0, 2.0, run_id=key)
    with pytest.raises(Conflict, match="being transcribed already"):
        hear_part(job, 1.0, 2.0)
    assert job.runs.count() == 2


@pytest.mark.parametrize("part", [(5.0, 5.0), (9.0, 3.0), (-1.0, 3.0), (float("nan"), 3.0), (0.0, float("inf"))])
def test_what_is_no_part_is_refused(alice: User, make_job: Make, part: tuple[float, float]) -> None:
    job = make_job(alice, state="succeeded", language="en")
    with pytest.raises(JobError) as refusal:
        hear_part(job, *part)
    assert refusal.value.code == "bad_part"
    assert job.runs.count() == 1


@pytest.mark.parametrize("state", ["failed", "running", "queued"])
def test_there_must_be_a_finished_transcript(alice: User, make_job: Make, state: str) -> None:
    with pytest.raises(Conflict):
        hear_part(make_job(alice, state=state, language="en"), 1.0, 2.0)


def test_what_a_cancelled_run_never_heard_is_told(alice: User, make_job: Make) -> None:
    job = make_job(alice, state="cancelled", language="en")
    heard(job, {(0.0, 20.0): [(0.0, 20.0, "one")]}, undone=(30.0, 60.0))
    run = hear_part(job, 40.0, 50.0)
    hear_again(run)
    assert holes(run) == [(30.0, 39.8), (50.2, 60.0)]
    job.refresh_from_db()
    later = hear_part(job, 30.0, 39.0)
    hear_again(later)
    assert holes(later) == [(39.2, 39.8), (50.2, 60.0)]


def holes(run: Run) -> list[tuple[float, float]]:
    report = Run.objects.get(pk=run.pk).report
    assert report is not None
    return [(e["start"], e["end"]) for e in report["entries"] if e["code"] == "not_heard"]
