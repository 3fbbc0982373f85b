"""What a check of the stored data is, and the one way in which all of them are made."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import batched
from uuid import UUID

from django.db import models

AT_ONCE = 500  # rows or files looked at together: memory does not grow with their number
MOUNTED = "Is the media volume mounted, and does all of it belong to the account that the service runs as?"
type Keys = Sequence[UUID]


@dataclass(frozen=True)
class Check:
    """`find` gives those of the keys that are wrong. Sentences are for operators: what is wrong, and how to mend it.

    Only ids leave a check, never a file's name or words of a transcript.
    """

    code: str
    wrong: str
    mend: str
    find: Callable[[Keys], Iterable[UUID]]


@dataclass(frozen=True)
class Room:
    """What the keys of some checks stand for, and how to go through all of them."""

    about: str
    keys: Callable[[], Iterable[UUID]]
    checks: Sequence[Check]


@dataclass(frozen=True)
class Fault:
    """A check that failed, and for which ids."""

    check: Check
    about: str
    ids: Sequence[UUID]


@dataclass
class Looked:
    """How many of each were looked at, and what is wrong."""

    counts: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


# A room that cannot be gone through has no ids to name.
UNREADABLE = Check(
    "unreadable",
    "The folder cannot be read, so what lies in it was not compared.",
    MOUNTED,
    lambda keys: keys,
)


def look(rooms: Iterable[Room], pause: float) -> Looked:
    """All checks of all rooms. What seems wrong is looked at again `pause` seconds later, so that a row or file that
    was on its way is not called wrong."""
    looked, suspects = Looked(), list[Fault]()
    for room in rooms:
        try:
            suspects += _suspects(room, looked.counts)
        except OSError:
            looked.faults.append(Fault(UNREADABLE, room.about, []))
    if suspects:
        time.sleep(pause)
    for one in suspects:
        still = {key for keys in batched(one.ids, AT_ONCE) for key in one.check.find(keys)}
        if still:
            looked.faults.append(Fault(one.check, one.about, sorted(still)))
    return looked


def _suspects(room: Room, counts: dict[str, int]) -> list[Fault]:
    """What a first look finds; how many it looked at goes into `counts`. Raises OSError where it cannot look."""
    found = defaultdict[str, set[UUID]](set)
    counts[room.about] = 0
    for keys in batched(room.keys(), AT_ONCE):
        counts[room.about] += len(keys)
        for check in room.checks:
            found[check.code].update(check.find(keys))
    return [Fault(check, room.about, sorted(found[check.code])) for check in room.checks if found[check.code]]


def keys_of[M: models.Model](rows: models.QuerySet[M]) -> Iterator[UUID]:
    """Their ids, a page at a time: no cursor stays open while the checks ask their own questions."""
    last: UUID | None = None
    while True:
        after = rows if last is None else rows.filter(pk__gt=last)
        page = list(after.order_by("pk").values_list("pk", flat=True)[:AT_ONCE])
        yield from page
        if len(page) < AT_ONCE:
            return
        last = page[-1]
