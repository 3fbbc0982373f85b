"""What is killed in a running stack, in which order, and how long until all goes on: for `poe prove faults`.

Two times for each kill. `back`: until the killed part gives its next good answer (worker: the new process has its row;
web: /healthz; Postgres: a query; Temporal: its namespace). `moved`: for a worker, until each run that it had in its
hands has its next window committed or has ended; for web, until the upload that was under way is acknowledged (none
where they had nothing in their hands); for Postgres and Temporal, until the first window is committed after they were
back, so that both of them wait for a worker, too.
"""

import http.client
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from benchmarks._book import Book
from jobs.failpoints import Point, arm, is_armed
from transcribe.drill import Drill

POINT_SHARE = 0.25  # of the kills of workers are at a named place, whichever worker comes by first
POINTS = (
    Point.BEFORE_WORKFLOW,
    Point.AFTER_WORKFLOW,
    Point.DECODED,
    Point.PLANNED,
    Point.BEFORE_SPAN,
    Point.HEARD,
    Point.TEXT_WRITTEN,
    Point.WINDOWS_COMMITTED,
    Point.BEFORE_FINISH,
    Point.SUCCEEDED_LEFT,
    Point.FINISHED,
)
COUNTS = {"worker": 200, "web": 50, "postgres": 20, "temporal": 20}
WORKERS = ("worker", "worker 2")
FEW_SECONDS = 2
DONE = "SELECT count(*) FROM jobs_window WHERE done_at IS NOT NULL"
BORN = "SELECT 1 FROM jobs_worker WHERE pid = %s AND ended_at IS NULL AND started_at > to_timestamp(%s)"
AT_WORK = "SELECT 1 FROM jobs_worker WHERE pid = %s AND runs <> '[]' AND seen_at > now() - interval '10 s'"
# Rows of the dead stay for a day; a process id may come again.
IN_HAND = (
    "SELECT r.id::text, (SELECT count(*) FROM jobs_window w WHERE w.run_id = r.id AND w.done_at IS NOT NULL) "
    "FROM jobs_run r WHERE r.state IN ('queued', 'running') AND r.id::text IN (SELECT jsonb_array_elements_text("
    "(SELECT runs FROM jobs_worker WHERE pid = %s ORDER BY started_at DESC LIMIT 1)))"
)
MOVED = (
    "SELECT r.state NOT IN ('queued', 'running') OR "
    "(SELECT count(*) FROM jobs_window w WHERE w.run_id = r.id AND w.done_at IS NOT NULL) > %s "
    "FROM jobs_run r WHERE r.id = %s"
)


@dataclass(frozen=True)
class Kill:
    """The `number`th of the plan: which part, after how many seconds, and which of the workers or where."""

    number: int
    kind: str
    pause: float
    nth: int
    point: Point | None = None


def plan(seed: int, counts: Mapping[str, int], longest_pause: float) -> list[Kill]:
    """All kills in their order, which the seed alone decides."""
    chance = np.random.default_rng(seed)
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    chance.shuffle(kinds)
    pauses, workers = chance.uniform(0, longest_pause, len(kinds)), chance.integers(len(WORKERS), size=len(kinds))
    named, which = chance.uniform(size=len(kinds)) < POINT_SHARE, chance.integers(len(POINTS), size=len(kinds))
    points = [POINTS[w] if n and k == "worker" else None for n, w, k in zip(named, which, kinds, strict=True)]
    drawn = zip(kinds, map(float, pauses), map(int, workers), points, strict=True)
    return [Kill(number, *each) for number, each in enumerate(drawn)]


@dataclass
class Wound:
    """One kill, until it has healed. Times are seconds since it; None: not yet."""

    kill: Kill
    name: str
    pid: int
    at: float = field(default_factory=time.monotonic)
    clock: float = field(default_factory=time.time)
    # Windows done of each run that a killed worker had, or uploads acknowledged where one was under way in the web
    # process; None: not known yet.
    in_hand: dict[str, int] | None = None
    before: int = 0  # committed windows when it was back
    back: float | None = None
    moved: float | None = None

    @property
    def healed(self) -> bool:
        return self.back is not None and self.moved is not None

    @property
    def seconds(self) -> float:
        """Since the kill."""
        return time.monotonic() - self.at

    def facts(self) -> dict[str, Any]:
        """For the state file. Who had nothing in its hands has no `moved`."""
        moved = None if self.in_hand == {} else self.moved
        kill = self.kill
        return {"number": kill.number, "kind": kill.kind, "point": kill.point, "back": self.back, "moved": moved}


class Surgeon:
    """Kills parts of one stack and watches them heal. Used from one thread."""

    def __init__(self, drill: Drill, book: Book, points: Path) -> None:
        self._drill, self._book, self._points = drill, book, points
        self.open: list[Wound] = []

    def victim(self, kill: Kill, at_work: bool) -> str | None:
        """The part to kill, once it is whole; of the workers one that has something in its hands, where `at_work`, and
        once the work of the one before has moved: else nothing would, where starting takes longer than the pauses."""
        if kill.kind == "worker" and any(wound.kill.kind == "worker" and wound.moved is None for wound in self.open):
            return None
        names = (WORKERS[kill.nth], *WORKERS) if kill.kind == "worker" else (kill.kind,)
        hurt = {wound.name for wound in self.open if wound.back is None}
        whole = [name for name in names if name not in hurt and self._process(name).poll() is None]
        if kill.kind == "worker" and at_work:
            whole = [name for name in whole if self._ask(AT_WORK, self._process(name).pid)]
        return next(iter(whole), None)

    def strike(self, kill: Kill, name: str) -> None:
        """SIGKILL; its supervisor starts another after a second."""
        self._drill.stack.supervisor.services[name].delay = 0.0  # however often it was killed
        process = self._process(name)
        uploads = {"upload": len(self._book.entries)} if self._book.under_way else {}
        process.kill()
        process.wait()
        self.open.append(Wound(kill, name, process.pid, in_hand=uploads if kill.kind == "web" else None))

    def arm(self, point: Point) -> None:
        """The first worker that comes to this place dies there."""
        self._alive = {name: self._process(name) for name in WORKERS}
        for name in WORKERS:
            self._drill.stack.supervisor.services[name].delay = 0.0
        arm(self._points, point)

    def fell(self, kill: Kill) -> bool:
        """Whether a worker has died at the armed place, which is noted then."""
        if kill.point is None or is_armed(self._points, kill.point):
            return False
        dead = [name for name, process in self._alive.items() if process.poll() is not None]
        self.open += [Wound(kill, name, self._alive[name].pid) for name in dead]
        return bool(dead)

    def disarm(self, point: Point) -> None:
        """Nobody came by."""
        for file in self._points.glob(f"{point}.*"):
            file.unlink(missing_ok=True)

    def look(self) -> list[Wound]:
        """Once around; those that have healed meanwhile."""
        for wound in self.open:
            self._look(wound)
        healed = [wound for wound in self.open if wound.healed]
        self.open = [wound for wound in self.open if not wound.healed]
        return healed

    def _look(self, wound: Wound) -> None:
        if wound.kill.kind == "worker" and wound.in_hand is None:
            wound.in_hand = self._in_hand(wound.pid)
        if wound.back is None and self._is_back(wound):
            wound.back, wound.before = wound.seconds, self._done()
        if wound.moved is None and self._has_moved(wound):
            wound.moved = wound.seconds

    def _is_back(self, wound: Wound) -> bool:
        match wound.kill.kind:
            case "web":
                return _answers(f"{self._drill.stack.address}/healthz")
            case "postgres":
                return self._ask("SELECT 1") != []
            case "temporal":
                return self._drill.stack.temporal is not None and self._drill.stack.temporal.answers()
            case _:
                return self._ask(BORN, self._process(wound.name).pid, wound.clock) != []

    def _has_moved(self, wound: Wound) -> bool:
        match wound.kill.kind:
            case "web":
                now = len(self._book.entries)
                return wound.back is not None and all(now > before for before in (wound.in_hand or {}).values())
            case "worker":
                runs = (wound.in_hand or {}).items()
                return wound.in_hand is not None and all(self._ask(MOVED, done, run) == [(True,)] for run, done in runs)
            case _:
                return wound.back is not None and self._done() > wound.before

    def _done(self) -> int:
        """Committed windows."""
        [[count]] = self._drill.rows(DONE)
        return int(count)

    def _in_hand(self, pid: int) -> dict[str, int]:
        return dict(self._drill.rows(IN_HAND, pid))

    def _ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """At once: no row while the database is away."""
        try:
            url = self._drill.stack.environment()["DATABASE_URL"]
            with psycopg.connect(url, connect_timeout=FEW_SECONDS) as link:
                return link.execute(query.encode(), values).fetchall()
        except psycopg.OperationalError:
            return []

    def _process(self, name: str) -> subprocess.Popen[bytes]:
        process = self._drill.stack.supervisor.services[name].process
        if process is None:
            raise RuntimeError(f"{name} was never started")
        return process


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=FEW_SECONDS) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except (OSError, http.client.HTTPException):
        return False
