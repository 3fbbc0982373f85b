"""What templates need: the site's own facts, and fragments rendered once for page, htmx and socket.

A fragment is one root element with an id. Sent over a socket it carries `hx-swap-oob`, so htmx finds its place itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html

from accounts.models import User
from jobs import exports, words
from jobs.listening import player_of
from jobs.models import Job, Run, RunEvent, Segment
from jobs.progress import Progress, progress_of
from jobs.services.finish import REFUSALS
from jobs.states import FINAL, RunState

SEGMENTS_AT_ONCE = 200  # in the page itself: the first text is there at once
EARLIER_SHOWN = 10  # transcriptions of the same recording before the current one
SEGMENTS_AFTER = 1000  # in each later part, which the page fetches by itself


@dataclass(frozen=True)
class Part:
    """A stretch of a transcript; `rest` is the query that asks for the next one, empty at the end.

    `after`: where the next one begins, in seconds, if it follows in time.
    """

    segments: Sequence[Segment]
    rest: str = ""
    after: float | None = None


@dataclass(frozen=True)
class Row:
    """What the row template needs for a job."""

    job: Job
    run: Run | None
    progress: Progress


def site(request: HttpRequest) -> dict[str, object]:
    """Context of every page."""
    return {"demo_model": settings.DEMO_MODEL, "brand": "Transcribe"}


def rows(jobs: Sequence[Job]) -> list[Row]:
    """In five queries at most however many there are."""
    progress = progress_of([job.current_run for job in jobs if job.current_run], timezone.now())
    return [Row(job, job.current_run, _of(job.current_run, progress)) for job in jobs]


def render_rows(rows: Sequence[Row], user: User) -> str:
    """Dashboard rows as out-of-band swaps; a page without such a row ignores it.

    `user` has passed `visible_to` already; the text follows the active language, not the user.
    """
    return "".join(render_to_string("jobs/_row.html", {**vars(row), "user": user, "oob": True}) for row in rows)


def render_gone(job_id: UUID) -> str:
    """What a dashboard is sent when a job was deleted: its row leaves."""
    return format_html('<li id="job-{}" hx-swap-oob="delete"></li>', job_id)


def render_job(job: Job, user: User, after_segment: int) -> tuple[str, int]:
    """The job page's live parts: status, facts and history, and the newest segments with an id above `after_segment`.

    Returns the fragments and the highest segment id they reach (`after_segment` where there is none): pass it next
    time, 0 for the first. At most SEGMENTS_AT_ONCE segments, in the order they were stored; `live.js` puts them into
    time order, drops doubles, and fetches what lies between the page and the oldest one sent (`data-before`).
    """
    context = {**job_context(job), "user": user, "oob": True}
    run = job.current_run
    fresh = _newest(run, after_segment) if run else []
    before = _last(run, below=fresh[0].pk) if run and fresh else 0
    html = render_to_string("jobs/_live.html", {**context, "fresh": fresh, "before": before})
    return html, fresh[-1].pk if fresh else after_segment


def job_context(job: Job) -> dict[str, object]:
    """What the job page and its fragments need besides the transcript."""
    run = job.current_run
    progress = _of(run, progress_of([run], timezone.now()) if run else {})
    has_text = run is not None and run.segments.exists()
    silent = run is not None and run.state == RunState.SUCCEEDED and not has_text
    return {
        "job": job,
        "run": run,
        "progress": progress,
        "sentence": words.sentence(run, progress, silent=silent) if run else "",
        "silent": silent,
        "has_text": has_text,
        "refused": run is not None and run.state == RunState.FAILED and run.reason in REFUSALS,
        "open": run is not None and run.state not in FINAL,
        "history": _history(run) if run else [],
        "player": player_of(job),
        "formats": exports.FORMATS,
