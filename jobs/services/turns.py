"""Whose turn it is: the one order in which queued runs begin. The scheduler admits by it, pages show places from it."""

from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import F, Q, Window
from django.db.models.functions import RowNumber

from jobs.models import Run
from jobs.states import OPEN, RunState

RUNS_FOR_EACH_SLOT = 2  # what Temporal holds is first in, first out; holding little keeps the share fair
KNOWN_OF_EACH = 1000  # how far one person's queue is looked into


class Turn(NamedTuple):
    """A run that waits."""

    run: UUID
    owner: int
    since: datetime


class Turns:
    """What waits and what is under way, as of now. `next_of` consumes it: make a new one for every question."""

    def __init__(self) -> None:
        self._waiting = _waiting()
        self._busy: Counter[int] = Counter()
        self._began: dict[str, deque[int]] = defaultdict(deque)  # by model: owners of the runs under way
        self._handed: dict[str, list[UUID]] = defaultdict(list)
        runs = Run.objects.filter(under_way()).order_by("admitted_at", "pk")
        for model, owner, run, state in runs.values_list(*_OWNED, "pk", "state"):
            self._began[model].append(owner)
            self._busy[owner] += 1
            if state == RunState.QUEUED:
                self._handed[model].append(run)

    @property
    def models(self) -> list[str]:
        """Those that somebody waits for."""
        return list(self._waiting)

    def room(self, model: str, slots: int) -> int:
        """How many more runs may begin now; negative after slots went away."""
        return RUNS_FOR_EACH_SLOT * slots - len(self._began[model])

    def handed_over(self, model: str) -> list[UUID]:
        """Admitted, and nobody has begun with them; the first admitted is the first to begin."""
        return self._handed[model]

    def next_of(self, model: str, slots: int) -> Iterator[UUID]:
        """All that wait, in the order in which they begin: the person with the fewest runs under way first, then the
        oldest. Beyond the room of now a run begins when one ends, and the first begun is taken to end first."""
        # Who asks saw a run wait; by now it may have been handed over, and nobody waits any more.
        room, queues, began = self.room(model, slots), self._waiting.get(model, {}), self._began[model]
        while queues:
            while room < 1 and began:
                self._busy[began.popleft()] -= 1
                room += 1
            owner = min(queues, key=lambda who: (self._busy[who], queues[who][0].since))
            turn = queues[owner].popleft()
            if not queues[owner]:
                del queues[owner]
            self._busy[owner] += 1
            began.append(owner)
            room -= 1
            yield turn.run


def under_way() -> Q:
    """Handed to Temporal and not at an end."""
    return Q(state__in=OPEN) & (Q(admitted_at__isnull=False) | ~Q(state=RunState.QUEUED))


_OWNED = ("model", "job__owner_id")


def _waiting() -> dict[str, dict[int, deque[Turn]]]:
    """By model and owner, the oldest first."""
    nth = Window(RowNumber(), partition_by=["model", "job__owner_id"], order_by=["created_at", "pk"])
    rows = Run.objects.filter(state=RunState.QUEUED, admitted_at=None).annotate(nth=nth).filter(nth__lte=KNOWN_OF_EACH)
    found: dict[str, dict[int, deque[Turn]]] = {}
    for model, owner, run, since in rows.order_by(F("created_at"), "pk").values_list(*_OWNED, "pk", "created_at"):
        found.setdefault(model, {}).setdefault(owner, deque()).append(Turn(run, owner, since))
    return found
