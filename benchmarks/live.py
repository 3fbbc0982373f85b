"""`poe bench live`: a thousand open pages on one web process, fifty recordings that move once a second.

On a fresh Postgres that does not wait for the disk, the web server as `manage.py up` starts it, and pages in a process
of their own. Each change goes the worker's way (`commit_windows`); its time runs from just before COMMIT to the message
in the page. Then the worst: the listening connection is killed, the web process is killed, and a page stops reading.
It wants two cores for itself. Prints figures and medians of rounds; exits 1 below a goal.
"""

import json
import statistics
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks._report import Goal, verdict
from benchmarks._web import Web, fresh_database, wait
from transcribe.embedded import places
from transcribe.embedded.child import leashed
from transcribe.embedded.ports import free_port

PEOPLE, PAGES_EACH, OLDER = 50, 20, 4  # one recording of each person moves; the older ones are done
ROUNDS, SECONDS = 3, 20  # of each round
WINDOWS = 100  # equal ones: each change is one per cent
SLOW_UPDATES, SLOW_PAUSE = 200, 0.05  # changes, and seconds between them
SLOW_TEXT = "a long sentence " * 3000  # more than the system's buffers hold for a page
SETTLED_SECONDS = 30
GOALS = {"memory growth MB": 150, "p50 ms": 100, "p99 ms": 1000, "wrong final states": 0}


class Pages:
    """The process that holds the open pages."""

    def __init__(self, wanted: list[dict[str, Any]]) -> None:
        self._process = subprocess.Popen(
            leashed([sys.executable, "-m", "benchmarks._pages"]),
            cwd=places.CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._tell(json.dumps(wanted))

    def ask(self, command: str) -> Any:
        self._tell(command)
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def end(self) -> None:
        self._tell("end")
        self._process.wait()

    def wrong(self, state: str, jobs: Sequence[int]) -> int:
        """How many pages of these recordings do not show this state."""
        return sum(count for job, shown, count in self.ask("states") if job in jobs and shown != state)

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()


class Recordings:
    """Rows, and the worker's writes to them."""

    def __init__(self) -> None:
        from accounts.models import User
        from jobs.models import Job

        self.cookies: list[str] = []
        self.jobs: list[Job] = []
        self.commits: list[list[float]] = []
        for number in range(PEOPLE + 1):  # the last one is for the page that stops reading
            owner = User.objects.create_user(f"person-{number}")
            self.cookies.append(_session(owner))
            for _ in range(OLDER):
                self._make(owner, "succeeded", 0)
            self.jobs.append(self._make(owner, "running", WINDOWS if number < PEOPLE else SLOW_UPDATES))
            self.commits.append([])

    def commit(self, number: int, text: str = "some words that were said") -> None:
        """One more window is done."""
        from django.db import transaction

        from jobs.services.windows import HeardSegment, commit_windows

        run = self.jobs[number].current_run
        assert run is not None
        with transaction.atomic():
            index = len(self.commits[number])
            assert commit_windows(run.pk, {index: [HeardSegment(30.0 * index, 30.0 * index + 4, text)]})
            self.commits[number].append(time.monotonic())

    def finish(self, number: int) -> None:
        from django.utils import timezone

        from jobs.services.finish import finish

        run = self.jobs[number].current_run
        assert run is not None
        run.windows.filter(done_at=None).update(done_at=timezone.now())
        assert finish(run.pk, attempt=1, worker="w")

    def last_segment(self, number: int) -> int:
        from jobs.partials import last_segment

        return last_segment(self.jobs[number].current_run)

    def _make(self, owner: Any, state: str, windows: int) -> Any:
        from jobs.models import Job, Run, Window

        job = Job.objects.create(owner=owner, title="talk.mp3", size=1 << 20, sha256="0" * 64, duration=3000.0)
        job.current_run = Run.objects.create(job=job, number=1, model="demo", state=state, stage="transcribing")
        job.save(update_fields=["current_run"])
        Window.objects.bulk_create(
            Window(run=job.current_run, index=index, span=0, batch=index, start=30.0 * index, end=30.0 * index + 30)
            for index in range(windows)
        )
        return job


def _session(user: Any) -> str:
    from django.test import Client

    client = Client()
    client.force_login(user)
    return f"sessionid={client.cookies['sessionid'].value}"


def main() -> int:
    with fresh_database("transcribe.settings"):
        found = measure()
    return verdict([Goal(name, found[name], goal, at_most=True) for name, goal in GOALS.items()])


def measure() -> dict[str, float]:
    recordings, web = Recordings(), Web(free_port())
    web.start()
    _warm_up(web, recordings)
    quiet = web.memory()
    with web.watched():
        began = time.monotonic()
        pages = Pages(_wanted(web, recordings))
        wait(lambda: pages.wrong("running", range(PEOPLE + 1)) == 0, 120, "all pages")
        print(f"{PEOPLE * PAGES_EACH} pages open after {time.monotonic() - began:.1f} s", flush=True)
        rounds = [round_of(web, pages, recordings) for _ in range(ROUNDS)]
    growth = (web.peak - quiet) / (1 << 20)
    print(f"web: {quiet >> 20} MB with one page, at most {web.peak >> 20} MB", flush=True)
    wrong = slow_reader(pages, recordings) + listener_killed(pages, recordings) + web_killed(pages, recordings, web)
    pages.end()
    web.kill()
    middle, late = (statistics.median(found[place] for found in rounds) for place in (0, 1))
    print(f"medians of {ROUNDS} rounds: p50 {middle:.0f} ms, p99 {late:.0f} ms")
    return dict(zip(GOALS, (growth, middle, late, wrong), strict=True))


def round_of(web: Web, pages: Pages, recordings: Recordings) -> tuple[float, float]:
    """p50 and p99 in milliseconds of one round of changes."""
    busy, began = web.cpu(), time.monotonic()
    move(recordings, SECONDS)
    took = time.monotonic() - began
    time.sleep(3)  # the last ones are on their way
    times = sorted(_times(pages.ask("samples"), recordings, began))
    percentiles = [1000 * times[int(share * (len(times) - 1))] for share in (0.5, 0.99)]
    print(f"{SECONDS * PEOPLE} changes in {took:.1f} s, {len(times)} messages awaited: p50 {percentiles[0]:.0f} ms, "
          f"p99 {percentiles[1]:.0f} ms; web used {web.cpu() - busy:.1f} s of CPU", flush=True)  # fmt: skip
    return percentiles[0], percentiles[1]


def _wanted(web: Web, recordings: Recordings) -> list[dict[str, Any]]:
    """Half of each person's pages are the list, half the recording; two of the last person's, one of them slow."""
    wanted = []
    for number, (job, cookie) in enumerate(zip(recordings.jobs, recordings.cookies, strict=True)):
        known = {"port": web.port, "job": number, "id": str(job.pk), "cookie": cookie, "slow": False}
        paths = [f"/live/{job.pk}/", "/live/"]
        count = PAGES_EACH if number < PEOPLE else 1
        wanted += [known | {"path": paths[place % 2]} for place in range(count)]
    return [*wanted, known | {"path": paths[0], "slow": True}]


def _warm_up(web: Web, recordings: Recordings) -> None:
    """What the first page of each kind loads for ever is not what a thousand cost."""
    wanted = _wanted(web, recordings)
    pages = Pages([*wanted[:2], wanted[-1]])
    wait(lambda: pages.wrong("running", [0, PEOPLE]) == 0, 30, "the first pages")
    recordings.commit(0)
    time.sleep(1)
    pages.end()


def move(recordings: Recordings, seconds: int) -> None:
    """Each recording once a second, one after the other."""
    began, step = time.monotonic(), 1 / PEOPLE
    for turn in range(seconds * PEOPLE):
        time.sleep(max(0.0, began + turn * step - time.monotonic()))
        recordings.commit(turn % PEOPLE)


type Samples = list[tuple[int, list[tuple[int, float]]]]


def _times(samples: Samples, recordings: Recordings, since: float) -> Iterator[float]:
    """Of each page and change: seconds until the page showed it, or a later one. What never came took for ever."""
    for job, seen in samples:
        if job == PEOPLE:
            continue
        shown = [percent for percent, _ in seen]
        for done, committed in enumerate(recordings.commits[job], start=1):
            if committed < since:
                continue
            place = bisect_left(shown, done)
            yield seen[place][1] - committed if place < len(seen) else float("inf")


def slow_reader(pages: Pages, recordings: Recordings) -> float:
    """It stops reading for 200 changes of long text, beside a page of the same recording that reads on."""
    assert pages.ask("hold")
    before = len(recordings.commits[PEOPLE])
    for _ in range(SLOW_UPDATES):
        recordings.commit(PEOPLE, SLOW_TEXT)
        time.sleep(SLOW_PAUSE)
    recordings.finish(PEOPLE)
    time.sleep(2)
    (held, reading) = pages.ask("of the slow")
    assert pages.ask("go on")
    wrong = settle(pages, [PEOPLE], "a page that did not read for 200 changes")
    (slow, _) = pages.ask("of the slow")
    whole: bool = slow["last"] == recordings.last_segment(PEOPLE)
    changes = len(recordings.commits[PEOPLE]) - before
    print(f"{changes} changes: {reading['messages']} messages to the page beside it, which shows {reading['state']}")
    print(f"{held['messages']} messages to the slow one before and {slow['messages']} after, ", end="")
    print(f"{slow['connections']} connection, last text {'there' if whole else 'missing'}", flush=True)
    return wrong + int(not whole) + int(reading["state"] != "succeeded")


def listener_killed(pages: Pages, recordings: Recordings) -> float:
    """The last news of half the recordings comes while nobody listens."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'live'")
        assert cursor.rowcount == 1
    for number in range(PEOPLE // 2):
        recordings.finish(number)
    return settle(pages, range(PEOPLE // 2), "the listening connection killed")


def web_killed(pages: Pages, recordings: Recordings, web: Web) -> float:
    """The last news of the other half comes while there is no server."""
    web.kill()
    for number in range(PEOPLE // 2, PEOPLE):
        recordings.finish(number)
    web.start()
    return settle(pages, range(PEOPLE), "the web process killed")


def settle(pages: Pages, jobs: Sequence[int], after: str) -> float:
    """Wait until every page of these recordings shows the end; how many do not in time."""
    began = time.monotonic()
    while (wrong := pages.wrong("succeeded", jobs)) and time.monotonic() - began < SETTLED_SECONDS:
        time.sleep(0.1)
    print(f"{after}: {wrong} wrong final states after {time.monotonic() - began:.1f} s", flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
