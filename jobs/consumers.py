"""Live pages: what each shows, and when it is sent again. `jobs.sockets` holds the connection.

htmx 4's socket extension takes a text message that is not JSON as HTML. The connecting element has neither `hx-target`
nor `hx-swap`, so nothing is swapped into it: only elements with `hx-swap-oob` take effect, each where its id is on the
page, and one that is not there is ignored. So a message is plain fragments one after the other, and the first one is a
snapshot: the extension reconnects by itself (tab in the background, server restarted) with nothing but the address.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.models import User
from jobs.errors import NotFound
from jobs.live import job_group, user_group
from jobs.models import Job
from jobs.partials import Row, render_gone, render_job, render_rows, rows
from jobs.progress import place_of
from jobs.states import OPEN

ROWS_IN_SNAPSHOT = 50
Mark = tuple[int, int | None]  # what was sent of a job: its revision, and its place in the queue while it is there
NOTHING: Mark = (-1, None)


class ListPage:
    """The person's recordings."""

    def __init__(self) -> None:
        self._sent: dict[UUID, Mark] = {}

    def group(self, user: User) -> str:
        return user_group(user.pk)

    def queued(self) -> frozenset[UUID]:
        return frozenset(job_id for job_id, (_, place) in self._sent.items() if place is not None)

    def render(self, user: User, changed: frozenset[UUID] | None) -> str:
        """The rows that are newer than what was sent; None for `changed`: of all that may be on the page."""
        visible = Job.objects.visible_to(user).select_related("current_run")
        asked = frozenset(self._sent) if changed is None else changed
        wanted = Q(pk__in=asked) | _recent(visible) if changed is None else Q(pk__in=asked)
        found = rows(list(visible.filter(wanted)))
        fresh = [row for row in found if _is_news(_mark(row), self._sent.get(row.job.pk, NOTHING))]
        self._sent |= {row.job.pk: _mark(row) for row in fresh}
        return "".join([render_rows(fresh, user), *self._leaving(asked - {row.job.pk for row in found})])

    def _leaving(self, gone: Iterable[UUID]) -> Iterable[str]:
        for job_id in gone:
            self._sent.pop(job_id, None)
            yield render_gone(job_id)


class JobPage:
    """One recording: its status and the segments that arrived since the last message."""

    def __init__(self, job_id: UUID) -> None:
        self._job_id = job_id
        self._sent = NOTHING
        self._run_id: UUID | None = None
        self._last_segment = 0

    def group(self, user: User) -> str:
        return job_group(self._job_id)

    def queued(self) -> frozenset[UUID]:
        return frozenset() if self._sent[1] is None else frozenset({self._job_id})

    def render(self, user: User, changed: frozenset[UUID] | None) -> str:
        """What is newer than what was sent. Raises NotFound once the recording is gone, or was never this person's."""
        job = Job.objects.visible_to(user).select_related("current_run").filter(pk=self._job_id).first()
        if job is None:
            raise NotFound("This recording is not there.")
        mark = (job.revision, place_of(job.current_run))
        if not _is_news(mark, self._sent):
            return ""
        if job.current_run_id != self._run_id:
            self._run_id, self._last_segment = job.current_run_id, 0
        html, self._last_segment = render_job(job, user, self._last_segment)
        self._sent = mark
        return html


def _recent(jobs: "QuerySet[Job]") -> Q:
    newest = jobs.order_by("-created_at").values("pk")[:ROWS_IN_SNAPSHOT]
    return Q(pk__in=newest) | Q(current_run__state__in=OPEN)


def _mark(row: Row) -> Mark:
    return row.job.revision, row.progress.place


def _is_news(mark: Mark, sent: Mark) -> bool:
    """A place moves without a revision of its own."""
    return mark != sent and mark[0] >= sent[0]
