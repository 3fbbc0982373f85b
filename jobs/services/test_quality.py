"""The quality report: what it lists, how neighbours become one, and that a good transcript has nothing in it."""

from collections.abc import Callable
from math import log
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from jobs.models import Job, Run, Segment, Window
from jobs.services import quality
from jobs.services.finish import finish
from jobs.services.quality import report_of

Make = Callable[..., Job]
GOOD = {"average_log_probability": -0.2, "no_speech_probability": 0.01, "compression_ratio": 1.2}


@pytest.fixture
def run(alice: User, make_job: Make) -> Run:
    run = make_job(alice, state="running").current_run
    assert run is not None
    return run


def window(run: Run, start: float, end: float, *said: tuple[float, float, dict[str, Any]], deaths: int = 0) -> None:
    index = run.windows.count()
    made = {"run": run, "index": index, "span": 0, "batch": 0, "start": start, "end": end}
    row = Window.objects.create(**made, engine_deaths=deaths, done_at=timezone.now())
    for place, (first, last, odd) in enumerate(said):
        fields = {"text": f"Words at {first}.", **GOOD, **odd}
        Segment.objects.create(run=run, window=row, index=place, start=first, end=last, **fields)


def entries(run: Run) -> list[tuple[float, float, str, float | None]]:
    return [(e["start"], e["end"], e["code"], e["measure"]) for e in report_of(run)["entries"]]


def test_nothing_stands_out_in_good_text(run: Run) -> None:
    window(run, 0.0, 29.0, (0.0, 12.0, {}), (15.0, 29.0, {}))
    window(run, 40.0, 42.0)  # too short to miss words in
    assert finish(run.pk, attempt=1, worker="test")
    run.refresh_from_db()
    assert run.report == {"version": 1, "counts": {}, "entries": [], "more": 0}


def test_uncertain_neighbours_are_one_entry_with_the_lowest_probability(run: Run) -> None:
    half, third = ({"average_log_probability": log(p)} for p in (0.4, 0.3))
    window(run, 0.0, 29.0, (0.0, 9.0, half), (10.0, 19.0, third), (19.0, 25.0, {}), (25.0, 29.0, half))
    assert entries(run) == [(0.0, 19.0, "low_confidence", 0.3), (25.0, 29.0, "low_confidence", 0.4)]


def test_speech_without_text(run: Run) -> None:
    window(run, 0.0, 29.0, (7.0, 10.0, {}), (15.0, 20.0, {}))
    window(run, 40.0, 44.0)
    assert entries(run) == [
        (0.0, 7.0, "no_text", 7.0),
        (20.0, 29.0, "no_text", 9.0),
        (40.0, 44.0, "no_text", 4.0),
    ]


def test_behind_a_cut_loop_the_loop_went_on(run: Run) -> None:
    window(run, 0.0, 29.0, (0.0, 4.0, {"notes": ["loop_cut"]}))
    assert entries(run) == [(0.0, 29.0, "loop_cut", 29.0)]


def test_notes_and_scores_of_one_kind_are_one_entry(run: Run) -> None:
    unsure = {"average_log_probability": -1.5, "notes": ["low_confidence"]}
    fast = {"text": "x" * 90, "notes": ["too_fast"]}
    window(run, 0.0, 9.0, (0.0, 5.0, unsure), (5.0, 8.0, fast), deaths=1)
    assert entries(run) == [
        (0.0, 9.0, "crashed", 1.0),
        (0.0, 5.0, "low_confidence", 0.22),
        (5.0, 8.0, "too_fast", 30.0),
    ]


def test_each_other_language_is_an_entry(run: Run) -> None:
    english, french = ({"notes": [f"other_language:{code}"]} for code in ("en", "fr"))
    window(run, 0.0, 20.0, (0.0, 5.0, english), (5.0, 10.0, english), (10.0, 20.0, french))
    found = [(e["start"], e["end"], e["language"]) for e in report_of(run)["entries"]]
    assert found == [(0.0, 10.0, "en"), (10.0, 20.0, "fr")]


def test_the_same_sentence_in_window_after_window(run: Run) -> None:
    for start in range(0, 40, 10):
        window(run, start, start + 10.0, (start, start + 10.0, {"text": f"Thank you{'.' if start else '!'}"}))
    for start in range(40, 110, 10):
        window(run, start, start + 10.0, (start, start + 10.0, {"text": "Yes."}))
    assert entries(run) == [(0.0, 40.0, "repeated", 4.0)]


def test_what_is_too_much_is_counted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "MOST", 2)
    for start in (0.0, 30.0, 60.0):
        window(run, start, start + 10.0)
    report = report_of(run)
    assert ([e["start"] for e in report["entries"]], report["more"]) == ([0.0, 30.0], 1)
    assert report["counts"] == {"no_text": 3}
