"""Which recordings a list shows: those of a state, with a word in their names, and how many each filter would show."""

from dataclasses import dataclass

from django.db.models import Count
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from jobs.models import OwnedQuerySet
from jobs.states import OPEN, RunState

FILTERS: dict[str, tuple[Promise, frozenset[RunState]]] = {  # by the value of `?state=`; "" shows all
    "": (_("All"), frozenset(RunState)),
    "open": (_("In progress"), OPEN),
    "done": (_("Done"), frozenset({RunState.SUCCEEDED})),
    "failed": (_("Failed"), frozenset({RunState.FAILED})),
}


@dataclass(frozen=True)
class Filter:
    """One link above the list; `states` are what it shows."""

    value: str
    label: str
    states: frozenset[RunState]
    count: int
    chosen: bool


@dataclass(frozen=True)
class Wish:
    """What was asked for: a word in the name, and one of FILTERS."""

    search: str = ""
    state: str = ""

    @classmethod
    def read(cls, search: str, state: str) -> "Wish":
        """Of a query string: what is not known counts as not asked."""
        return cls(search.strip().replace("\x00", ""), state if state in FILTERS else "")


def find(jobs: OwnedQuerySet, wish: Wish) -> OwnedQuerySet:
    """The recordings to list, newest first."""
    found = _named(jobs, wish).select_related("current_run").order_by("-created_at", "pk")
    return found.filter(current_run__state__in=FILTERS[wish.state][1]) if wish.state else found


def filters(jobs: OwnedQuerySet, wish: Wish) -> list[Filter]:
    """The filters with their counts among the recordings of that name; one query."""
    counts = _named(jobs, wish).order_by().values("current_run__state").annotate(count=Count("pk"))
    found = {row["current_run__state"]: row["count"] for row in counts}
    return [
        Filter(
            value=value,
            label=str(label),
            states=states,
            count=sum(found.values()) if not value else sum(found.get(state, 0) for state in states),
            chosen=value == wish.state,
        )
        for value, (label, states) in FILTERS.items()
    ]


def _named(jobs: OwnedQuerySet, wish: Wish) -> OwnedQuerySet:
    return jobs.filter(title__icontains=wish.search) if wish.search else jobs
