"""What live pages show, read and rendered once for all pages that show it: many lists, recordings or texts at a time.

Nothing here knows who looks: fragments are the same for everybody, and a page asks `Job.may_be_seen_by` before it sends
one on.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from django.db.models import Q
from django.utils import translation

from accounts.models import User
from jobs import partials
from jobs.models import Job, Run
from jobs.states import OPEN

ROWS_IN_SNAPSHOT = 50
Mark = tuple[int, int | None]  # what was sent of a job: its revision, and its place in the queue while it is there
NOTHING: Mark = (-1, None)
Kind = Literal["row", "head"]  # of a list; of a job page: status, facts and history
Fragment = tuple[UUID, Kind, str]  # a job, what of it, and the language to say it in
Stretch = tuple[UUID, int, str]  # a run, the highest segment id that a page has of it, and the language


@dataclass(frozen=True)
class Shown:
    """A fragment of a job, as of one reading; `read_at` (time.monotonic) is a moment after the row was read."""

    read_at: float
    job: Job
    mark: Mark
    html: str


@dataclass(frozen=True)
class Heard:
    """Text of a run beyond what a page has; `last` is the highest segment id it reaches."""

    html: str
    last: int


def read_lists(users: Sequence[User]) -> dict[User, dict[UUID, int]]:
    """Of each person: the jobs that may be on the first page of their list, with the revision of each."""
    return {user: _listed(user) for user in users}


def read_fragments(asked: Sequence[Fragment]) -> dict[Fragment, Shown]:
    """List rows and heads of job pages; those of jobs that are not there are left out."""
    jobs = Job.objects.filter(pk__in={job_id for job_id, _, _ in asked}).select_related("current_run")
    found = {row.job.pk: row for row in partials.rows(list(jobs))}
    return {
        (job_id, kind, language): _shown(found[job_id], kind, language)
        for job_id, kind, language in asked
        if job_id in found
    }


def read_texts(asked: Sequence[Stretch]) -> dict[Stretch, Heard]:
    """The newest segments beyond each mark. Those of a run are read once, and each is rendered once."""
    marks: defaultdict[tuple[UUID, str], list[int]] = defaultdict(list)
    for run_id, after, language in asked:
        marks[run_id, language].append(after)
    runs = Run.objects.select_related("job").in_bulk({run_id for run_id, _ in marks})
    return {
        (run_id, after, language): Heard(html, last)
        for (run_id, language), afters in marks.items()
        if run_id in runs
        for after, (html, last) in _texts(runs[run_id], language, afters).items()
    }


def _texts(run: Run, language: str, afters: Sequence[int]) -> dict[int, tuple[str, int]]:
    with translation.override(language):
        return partials.render_texts(run, afters)


def _shown(row: partials.Row, kind: Kind, language: str) -> Shown:
    render = partials.render_row if kind == "row" else partials.render_head
    with translation.override(language):
        return Shown(time.monotonic(), row.job, (row.job.revision, row.progress.place), render(row))


def _listed(user: User) -> dict[UUID, int]:
    mine = Job.objects.visible_to(user)
    newest = mine.order_by("-created_at").values("pk")[:ROWS_IN_SNAPSHOT]
    found = mine.filter(Q(pk__in=newest) | Q(current_run__state__in=OPEN))
    return dict(found.values_list("pk", "revision"))
