"""Live pages: what each shows, and when it is sent again. `jobs.sockets` holds the connection, `jobs.readings` renders.

htmx 4's socket extension takes a text message that is not JSON as HTML. The connecting element has neither `hx-target`
nor `hx-swap`, so nothing is swapped into it: only elements with `hx-swap-oob` take effect, each where its id is on the
page, and one that is not there is ignored. So a message is plain fragments one after the other, and the first one is a
snapshot: the extension reconnects by itself (tab in the background, server restarted) with nothing but the address.
"""

from collections.abc import Iterable, Set
from uuid import UUID

from accounts.models import User
from jobs.errors import NotFound
from jobs.live import hub, job_group, user_group
from jobs.partials import render_gone
from jobs.readings import NOTHING, Fragment, Mark, Shown, read_fragments, read_lists, read_texts


class ListPage:
    """The person's recordings."""

    def __init__(self) -> None:
        self._sent: dict[UUID, Mark] = {}

    def group(self, user: User) -> str:
        return user_group(user.pk)

    def queued(self) -> frozenset[UUID]:
        return frozenset(job_id for job_id, (_, place) in self._sent.items() if place is not None)

    async def render(self, user: User, language: str, changed: frozenset[UUID] | None, since: float) -> str:
        """The rows that are newer than what was sent; None for `changed`: of all that may be on the page."""
        asked = await self._outdated(user, since) if changed is None else changed
        wanted: list[Fragment] = [(job_id, "row", language) for job_id in asked]
        found = await hub().desk(read_fragments).ask(wanted, since)
        visible = [shown for shown in found.values() if shown.job.may_be_seen_by(user)]
        fresh = [shown for shown in visible if _is_news(shown.mark, self._sent.get(shown.job.pk, NOTHING))]
        self._sent |= {shown.job.pk: shown.mark for shown in fresh}
        gone = asked - {shown.job.pk for shown in visible}
        return "".join([*(shown.html for shown in fresh), *self._leaving(gone)])

    async def _outdated(self, user: User, since: float) -> Set[UUID]:
        """All but the rows that are known to be as they were sent."""
        lists = await hub().desk(read_lists).ask([user], since)
        settled = {(job_id, revision) for job_id, (revision, place) in self._sent.items() if place is None}
        return (self._sent.keys() | lists[user].keys()) - {job_id for job_id, _ in settled & lists[user].items()}

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

    async def render(self, user: User, language: str, changed: frozenset[UUID] | None, since: float) -> str:
        """What is newer than what was sent. Raises NotFound once the recording is gone, or was never this person's."""
        wanted: Fragment = (self._job_id, "head", language)
        shown = (await hub().desk(read_fragments).ask([wanted], since)).get(wanted)
        if shown is None or not shown.job.may_be_seen_by(user):
            raise NotFound("This recording is not there.")
        if not _is_news(shown.mark, self._sent):
            return ""
        html = shown.html + await self._text(shown, language)
        self._sent = shown.mark
        return html

    async def _text(self, shown: Shown, language: str) -> str:
        """Read after the head, so that what the head counts as done is there: no later news would bring it."""
        run_id = shown.job.current_run_id
        if run_id != self._run_id:
            self._run_id, self._last_segment = run_id, 0
        if run_id is None:
            return ""
        stretch = run_id, self._last_segment, language
        heard = (await hub().desk(read_texts).ask([stretch], shown.read_at)).get(stretch)
        if heard is None:
            return ""
        self._last_segment = heard.last
        return heard.html


def _is_news(mark: Mark, sent: Mark) -> bool:
    """A place moves without a revision of its own."""
    return mark != sent and mark[0] >= sent[0]
