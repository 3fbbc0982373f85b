"""Fragments for open pages: what htmx swaps, and which text is sent."""

import re
from collections.abc import Callable
from typing import Any

from django.utils import timezone

from accounts.models import User
from jobs.models import Job, Run, Segment, Worker
from jobs.partials import SEGMENTS_AT_ONCE, render_gone, render_head, render_row, render_texts, rows
from jobs.services.finish import finish
from jobs.speaking import speak

Make = Callable[..., Job]


def ids(html: str) -> list[int]:
    return [int(found) for found in re.findall(r'<span id="s(\d+)"', html)]


def test_a_row_is_one_element_that_finds_its_place(alice: User, make_job: Make) -> None:
    job = make_job(alice, title="<b>.mp3", state="running")
    html = render_row(rows([job])[0])
    assert html.startswith(f'<li id="job-{job.pk}"')
    assert html.count("hx-swap-oob") == 1
    assert "&lt;b&gt;.mp3" in html


def test_many_rows_cost_as_many_queries_as_one(
    alice: User, make_job: Make, make_worker: Callable[..., Worker], django_assert_max_num_queries: Any
) -> None:
    make_worker()
    jobs = [make_job(alice, state=state) for state in ("queued", "running", "failed") * 3]
    with django_assert_max_num_queries(7):
        assert sum(render_row(row).count("<li ") for row in rows(jobs)) == 9


def test_the_report_comes_with_the_end_of_the_run(alice: User, make_job: Make) -> None:
    job = make_job(alice, state="running")
    [said, unsure] = speak(job.current_run, ["Surely.", "Maybe."])
    Segment.objects.filter(pk=unsure.pk).update(average_log_probability=-1.2)
    assert "Worth a second look" not in render_head(rows([job])[0])
    assert finish(said.run_id, attempt=1, worker="test")
    head = render_head(rows([Job.objects.get(pk=job.pk)])[0])
    assert "Worth a second look" in head
    assert 'href="#t=5"' in head
    assert "csrf" not in head  # one fragment is sent to all who see it


def test_a_deleted_one_leaves(alice: User, make_job: Make) -> None:
    job = make_job(alice)
    assert render_gone(job.pk) == f'<li id="job-{job.pk}" hx-swap-oob="delete"></li>'


def text_after(run: Run | None, after: int) -> tuple[str, int]:
    assert run is not None
    return render_texts(run, [after])[after]


def test_only_text_beyond_the_last_is_sent(alice: User, make_job: Make) -> None:
    job = make_job(alice, state="running")
    first = speak(job.current_run, ["one", "two"])
    html, last = text_after(job.current_run, 0)
    assert (ids(html), last) == ([s.pk for s in first], first[-1].pk)
    assert text_after(job.current_run, last) == ("", last)
    more = speak(job.current_run, ["three"])
    html, last = text_after(job.current_run, last)
    assert (ids(html), last) == ([more[0].pk], more[0].pk)


def test_pages_with_different_marks_get_what_each_lacks(alice: User, make_job: Make) -> None:
    job = make_job(alice, state="running")
    assert job.current_run is not None
    stored = [segment.pk for segment in speak(job.current_run, ["one", "two", "three"])]
    texts = render_texts(job.current_run, [0, *stored])
    assert [ids(texts[after][0]) for after in (0, *stored)] == [stored, stored[1:], stored[2:], []]
    assert {last for _, last in texts.values()} == {stored[-1]}
    before = [re.findall(r'data-before="(\d+)"', texts[after][0]) for after in (0, *stored)]
    assert before == [["0"], [str(stored[0])], [str(stored[1])], []]


def test_after_a_long_absence_the_newest_are_sent_and_the_gap_is_named(alice: User, make_job: Make) -> None:
    job = make_job(alice, state="running")
    stored = speak(job.current_run, ["word"] * (SEGMENTS_AT_ONCE + 7))
    html, last = text_after(job.current_run, 0)
    assert ids(html) == [s.pk for s in stored[7:]]
    assert f'data-before="{stored[6].pk}"' in html
    assert last == stored[-1].pk


def test_status_facts_and_history_come_along(alice: User, make_job: Make) -> None:
    job = make_job(alice, state="succeeded", finished_at=timezone.now())
    html = render_head(rows([job])[0])
    assert re.findall(r'id="(\w+)"[^>]*hx-swap-oob="(\w+)"', html) == [("status", "outerMorph"), ("side", "outerMorph")]
    assert "csrf" not in html


def test_a_job_without_a_run_is_no_error(alice: User) -> None:
    job = Job.objects.create(owner=alice, title="bare", size=1, sha256="0" * 64)
    row = rows([job])[0]
    assert "bare" in render_head(row)
    assert "bare" in render_row(row)
