"""`poe bench api`: list and detail with 1,000 people and 100,000 recordings, beside a bare view of the same server.

On a fresh Postgres, the web server as `manage.py up` starts it, four scripts at once on kept connections, each asking
for another of ten people every time, who have a hundred recordings each. A second server has those thousand recordings
alone: what a page costs must not depend on what others have. Both run all the time, and rounds are interleaved. Queries
are counted in this process, for a page of 2 and of 100. Medians of p95, and CPU time of the web process. Exits 1 below
a goal.
"""

import http.client
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks._report import Goal, verdict
from benchmarks._web import Web, fresh_database
from transcribe.embedded.ports import free_port

PEOPLE, JOBS_EACH, ASKING = 1000, 100, 10  # ASKING of the people have a token
SCRIPTS, REQUESTS, ROUNDS = 4, 100, 3  # requests of each script and address in a round
GOALS = {
    "list p95 ms": 150.0,
    "detail p95 ms": 100.0,
    "list p95, 100,000 : 1,000 recordings": 1.5,
    "queries of a list": 12.0,
    "queries more for 100 than for 2": 0.0,
}
FILL = """
WITH made AS (
  INSERT INTO jobs_job (id, owner_id, title, size, sha256, duration, container, codec, picture, rendition, revision,
                        protected, created_at)
  SELECT gen_random_uuid(), u.id, 'talk ' || n || '.mp3', 1000000, repeat('0', 64), 3000, 'mp3', 'mp3float', '', '', 1,
         false, now() - n * interval '1 hour'
  FROM accounts_user u, generate_series(1, %s) n WHERE u.id BETWEEN %s AND %s RETURNING id, title, created_at
), runs AS (
  INSERT INTO jobs_run (id, job_id, number, state, stage, options, model, model_sha256, mode, language, reason,
                        detail, warnings, restarts, created_at)
  SELECT gen_random_uuid(), id, 1, CASE title WHEN 'talk 1.mp3' THEN 'running' WHEN 'talk 2.mp3' THEN 'queued'
         ELSE 'succeeded' END, 'transcribing', '{}', 'demo', '', '', 'en', '', '', '[]', 0, created_at
  FROM made RETURNING id, job_id
) SELECT count(*) FROM runs
"""
CURRENT = (
    "UPDATE jobs_job SET current_run_id = r.id FROM jobs_run r WHERE r.job_id = jobs_job.id AND current_run_id IS NULL"
)
WINDOWS = """
INSERT INTO jobs_window (run_id, index, span, batch, start, "end", attempts, engine_deaths, done_at)
SELECT r.id, n, 0, n, n * 30, n * 30 + 30, 1, 0, CASE WHEN n < 40 THEN now() END
FROM jobs_run r, generate_series(0, 99) n
WHERE r.state = 'running' AND NOT EXISTS (SELECT 1 FROM jobs_window w WHERE w.run_id = r.id)
"""
type Ask = Callable[[], tuple[str, str]]


def main() -> int:
    with fresh_database("benchmarks._bare"):
        found = measure()
    return verdict([Goal(name, found[name], goal, at_most=True) for name, goal in GOALS.items()])


def measure() -> dict[str, float]:
    people = People()
    few, many = Web(free_port()), Web(free_port())
    people.fill(ASKING)
    with people.copied():
        few.start()
    people.fill(PEOPLE)
    many.start()
    seen = rounds(few, many, people)
    few.kill()
    many.kill()
    short, long = people.queries(2), people.queries(100)
    print(f"queries: {short} for a page of 2, {long} for a page of 100, {people.queries(None)} for one recording")
    print(f"medians of {ROUNDS} rounds: " + "; ".join(f"{name} {taken}" for name, taken in seen.items()))
    listed, alone = seen["list"], seen["list of 1,000"]
    print(f"list: {listed.p95 / seen['bare'].p95:.1f} x the bare view, CPU {listed.cpu / seen['bare'].cpu:.1f} x; "
          f"CPU with 100,000 recordings {listed.cpu / alone.cpu:.2f} x that with 1,000")  # fmt: skip
    values = (listed.p95, seen["detail"].p95, listed.p95 / alone.p95, long, abs(long - short))
    return dict(zip(GOALS, values, strict=True))


def rounds(few: Web, many: Web, people: "People") -> dict[str, "Taken"]:
    """The medians of each address."""
    asks: dict[str, tuple[Web, Ask]] = {
        "bare": (many, people.bare),
        "list": (many, people.list),
        "list of 1,000": (few, people.list),
        "detail": (many, people.detail),
    }
    for web, ask in asks.values():
        asked(web, ask, 20)  # warm
    seen: dict[str, list[Taken]] = {name: [] for name in asks}
    for _ in range(ROUNDS):
        for name, (web, ask) in asks.items():
            seen[name].append(asked(web, ask, REQUESTS))
            print(f"{name}: {seen[name][-1]}", flush=True)
    return {name: median(found) for name, found in seen.items()}


@dataclass(frozen=True)
class Taken:
    """Milliseconds of a request: its p95, and the CPU time of the web process for one."""

    p95: float
    cpu: float

    def __str__(self) -> str:
        return f"p95 {self.p95:.1f} ms, CPU {self.cpu:.1f} ms"


def median(found: list[Taken]) -> Taken:
    return Taken(statistics.median(one.p95 for one in found), statistics.median(one.cpu for one in found))


def asked(web: Web, ask: Ask, requests: int) -> Taken:
    """`requests` by each of the scripts."""
    before = web.cpu()
    slow = p95(web.port, ask, requests)
    return Taken(slow, 1000 * (web.cpu() - before) / (SCRIPTS * requests))


def p95(port: int, ask: Ask, requests: int) -> float:
    """Milliseconds, of `requests` by each of the scripts."""

    def script(_number: int) -> list[float]:
        connection, times = http.client.HTTPConnection("127.0.0.1", port), []
        for _ in range(requests):
            path, token = ask()
            began = time.perf_counter()
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            answer.read()
            times.append(time.perf_counter() - began)
            assert answer.status == 200, (path, answer.status)
        connection.close()
        return times

    with ThreadPoolExecutor(SCRIPTS) as scripts:
        times = sorted(value for found in scripts.map(script, range(SCRIPTS)) for value in found)
    return 1000 * times[int(0.95 * (len(times) - 1))]


class People:
    """The rows, and what a script asks next."""

    def __init__(self) -> None:
        from accounts import personal
        from accounts.grants import Grant
        from accounts.models import User

        self._random = random.Random(1)  # noqa: S311  # the same order in every run
        User.objects.bulk_create(User(username=f"person-{number}") for number in range(PEOPLE))
        asking = list(User.objects.order_by("pk")[:ASKING])
        self._first, self._filled = asking[0].pk, 0  # their keys follow each other
        self._tokens = [(user.pk, personal.make(user, "bench", frozenset(Grant), 1)[1]) for user in asking]
        self._jobs: dict[int, list[Any]] = {}

    def fill(self, last: int) -> None:
        """JOBS_EACH recordings for each person up to the `last` who has none yet."""
        from django.db import connection

        from jobs.models import Job

        with connection.cursor() as cursor:
            cursor.execute(FILL, [JOBS_EACH, self._first + self._filled, self._first + last - 1])
            cursor.execute(CURRENT)
            cursor.execute(WINDOWS)
            cursor.execute("ANALYZE")
        self._filled = last
        for owner, _token in self._tokens:
            self._jobs[owner] = list(Job.objects.filter(owner=owner).values_list("pk", flat=True))
        print(f"{Job.objects.count():,} recordings", flush=True)

    @contextmanager
    def copied(self) -> Iterator[None]:
        """What starts within this gets a copy of the database as it is now."""
        from django.db import connection

        original, name = os.environ["DATABASE_URL"], connection.settings_dict["NAME"]
        connection.close()
        with connection._nodb_cursor() as cursor:
            cursor.execute(f'CREATE DATABASE few TEMPLATE "{name}"')
        os.environ["DATABASE_URL"] = original.replace(f"/{name}?", "/few?")
        assert os.environ["DATABASE_URL"] != original
        yield
        os.environ["DATABASE_URL"] = original

    def bare(self) -> tuple[str, str]:
        return "/bare", self._random.choice(self._tokens)[1]

    def list(self) -> tuple[str, str]:
        return "/api/v1/jobs?limit=50", self._random.choice(self._tokens)[1]

    def detail(self) -> tuple[str, str]:
        owner, token = self._random.choice(self._tokens)
        return f"/api/v1/jobs/{self._random.choice(self._jobs[owner])}", token

    def queries(self, page: int | None) -> int:
        """Of a list of so many recordings; None: of one."""
        from django.db import connection
        from django.test import Client
        from django.test.utils import CaptureQueriesContext

        path, token = self.detail() if page is None else (f"/api/v1/jobs?limit={page}", self._tokens[0][1])
        client = Client(headers={"authorization": f"Bearer {token}"})
        client.get(path)  # notes the use of the token
        with CaptureQueriesContext(connection) as asked:
            assert client.get(path).status_code == 200
        return len(asked)


if __name__ == "__main__":
    sys.exit(main())
