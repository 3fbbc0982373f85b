"""`poe prove faults [--seed N] [--counts ...]`: parts of a running stack are killed at random, and nothing is lost.

Two workers; a client that uploads all the time, some of it twice at once. By default 200 workers, 50 web processes, 20
Postgres and 20 Temporal servers are killed, in an order and with pauses that the seed decides. Every few kills the
client rests, all must end, and its book, rows, files and Temporal are compared: each acknowledged upload is one
recording with the text of an undisturbed run. Cut off, it goes on at the next kill with the same data; `--fresh` begins
anew. The report goes to benchmarks/results/.
"""

import argparse
import contextlib
import io
import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks._book import Book, Client, Entry
from benchmarks._judge import Judgement, judge
from benchmarks._report import RESULTS, Both, Goal, place, table, verdict
from benchmarks._stack import percentile, stack
from benchmarks._weights import cache
from benchmarks._wounds import COUNTS, WORKERS, Kill, Surgeon, plan
from jobs.failpoints import Point
from transcribe.drill import SAMPLES, Drill
from transcribe.embedded import places
from transcribe.embedded.child import spawn
from transcribe.embedded.supervise import Service
from worker.demo.listening import word_errors, words
from worker.fixtures import amr

TIMEOUTS: dict[str, Any] = {"HEARTBEAT_TIMEOUT_SECONDS": 5, "REPAIR_SECONDS": 5, "WORKER_BEAT_SECONDS": 2}
WORKER_GOAL = TIMEOUTS["HEARTBEAT_TIMEOUT_SECONDS"] + 30.0
HEAL_SECONDS, END_SECONDS = 180, 900
WORK_SECONDS = 60  # then a worker is killed that has nothing to do
LOOK_SECONDS = 0.2
WORD_ERROR = 0.02
OPEN = "SELECT count(*) FROM jobs_run WHERE state IN ('queued', 'running', 'cancelling')"


@dataclass
class Proof:
    """One proof under way."""

    drill: Drill
    book: Book
    client: Client
    surgeon: Surgeon
    healed: Path  # a line for each kill that has healed
    texts: Mapping[str, str]
    at_once: int  # recordings under way at most

    def go(self, kills: Sequence[Kill], rest_every: int, minutes: float) -> list[Judgement]:
        """All of them, or as many as fit; what was found at each rest. Ends at the first that found something."""
        found: list[Judgement] = []
        deadline = time.monotonic() + 60 * minutes
        for count, kill in enumerate(kills, start=1):
            if time.monotonic() > deadline:
                return [*found, self.rest()]
            name = self.whole(kill)
            self.pass_time(kill.pause)
            if kill.point is None or not self.fell(kill, kill.point):
                self.surgeon.strike(kill, name)
            if count % rest_every == 0 or count == len(kills):
                found.append(self.rest())
                if not found[-1].clean:
                    break
        return found or [self.rest()]

    def pass_time(self, seconds: float) -> None:
        """Feed, and see what heals."""
        deadline = time.monotonic() + seconds
        while True:
            open_runs = self.drill.rows(OPEN)[0][0]
            self.client.go_on(open_runs < self.at_once)
            self.note_healed()
            if time.monotonic() > deadline:
                return
            time.sleep(LOOK_SECONDS)

    def whole(self, kill: Kill) -> str:
        """The part to kill, as soon as it is back from the last time; a worker as soon as it works."""
        began = time.monotonic()
        while (name := self.surgeon.victim(kill, time.monotonic() < began + WORK_SECONDS)) is None:
            self.pass_time(LOOK_SECONDS)
            if time.monotonic() > began + HEAL_SECONDS:
                raise TimeoutError(f"{kill.kind} did not come back within {HEAL_SECONDS} s")
        return name

    def fell(self, kill: Kill, point: Point) -> bool:
        """At its place; False: no worker came by."""
        self.surgeon.arm(point)
        deadline = time.monotonic() + WORK_SECONDS
        while not self.surgeon.fell(kill):
            self.pass_time(LOOK_SECONDS)
            if time.monotonic() > deadline:
                self.surgeon.disarm(point)
                return self.surgeon.fell(kill)
        return True

    def note_healed(self) -> None:
        for wound in self.surgeon.look():
            facts = wound.facts()
            with self.healed.open("a") as file:
                file.write(json.dumps(facts) + "\n")
            print(f"{datetime.now(UTC):%H:%M:%S} {json.dumps(facts)}, {len(self.book.entries)} uploads", flush=True)

    def rest(self) -> Judgement:
        """Heal, let all end, compare."""
        deadline = time.monotonic() + HEAL_SECONDS
        while self.surgeon.open:
            self.pass_time(LOOK_SECONDS)
            if time.monotonic() > deadline:
                raise TimeoutError(f"not healed within {HEAL_SECONDS} s: {self.surgeon.open}")
        self.client.rest()
        self.drill.wait(lambda: self.drill.rows(OPEN) == [(0,)], "the end of all", END_SECONDS)
        found = judge(self.drill, self.book, self.texts)
        print(f"at rest: {found}", flush=True)
        return found


def main() -> int:
    options = _options()
    folder = places.make(cache() / f"prove-faults-{options.seed}")
    if options.fresh:
        shutil.rmtree(folder)
        places.make(folder)
    healed = folder / "healed.jsonl"
    known = {one["number"] for one in _read(healed)}
    counts = dict(zip(COUNTS, options.counts, strict=True))
    kills = [kill for kill in plan(options.seed, counts, options.pause) if kill.number not in known]
    samples = _samples(folder)
    book = Book(folder)
    points = folder / "failpoints"
    with stack(data=folder / "stack", ENGINE_SLOTS=1, FAILPOINTS=points, **TIMEOUTS) as drill:
        second_worker(drill, folder / "worker-2.log")
        texts = undisturbed(drill, book, samples, folder / "texts.json")
        client = Client(drill, book, samples, options.seed)
        proof = Proof(drill, book, client, Surgeon(drill, book, points), healed, texts, options.at_once)
        found = proof.go(kills, options.rest_every, options.minutes)
        client.stop()
    return report(options.seed, counts, _read(healed), found, book)


def second_worker(drill: Drill, log: Path) -> None:
    """Under the same supervisor, so that it is started again like the first."""
    command = [sys.executable, str(places.CHECKOUT / "manage.py"), "worker"]

    def start() -> Any:
        with log.open("ab") as file:
            return spawn(command, output=file, environment=drill.stack.environment(), folder=places.CHECKOUT)

    drill.stack.supervisor.add(Service(WORKERS[1], start, seconds=40))
    seen = "SELECT count(*) FROM jobs_worker WHERE ended_at IS NULL AND seen_at > now() - interval '5 s'"
    drill.wait(lambda: int(drill.rows(seen)[0][0]) >= len(WORKERS), "two workers", 120)


def _samples(folder: Path) -> dict[str, Path]:
    """A minute, five minutes, and what browsers cannot play, so that its playable form is made."""
    whole = (SAMPLES / "english.mp3").read_bytes()
    content = {"minute": whole[: len(whole) // 5], "five minutes": whole, "memo": amr(10.0)}
    paths = {name: folder / f"{name.replace(' ', '-')}.sample" for name in content}
    for name, path in paths.items():
        path.write_bytes(content[name])
    return paths


def undisturbed(drill: Drill, book: Book, samples: Mapping[str, Path], file: Path) -> dict[str, str]:
    """What is heard in each sample while nothing is killed; of the five minutes, it is what was said in them."""
    if file.exists():
        return dict(json.loads(file.read_text()))
    texts = {}
    for name, path in samples.items():
        job = drill.upload(path, title=path.name)
        if (ended := drill.wait_for_end(job)) != ("succeeded", ""):
            raise RuntimeError(f"undisturbed: {ended}")
        book.note(Entry("", name, "undisturbed", job))
        texts[name] = "\n".join(drill.text(job))
    said = words((SAMPLES / "english.txt").read_text())
    if word_errors(said, words(texts["five minutes"])) > WORD_ERROR * len(said):
        raise RuntimeError("the undisturbed text is not what was said")
    file.write_text(json.dumps(texts))
    return texts


def report(
    seed: int, counts: Mapping[str, int], healed: Sequence[dict[str, Any]], found: Sequence[Judgement], book: Book
) -> int:
    """Prints figures and writes them to results/; the exit code."""
    written = io.StringIO()
    with contextlib.redirect_stdout(Both(written)):
        print(f"`poe prove faults --seed {seed}`, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
        place("torch", "temporalio", "Django", "psycopg")
        code = _figures(counts, healed, found, book)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"faults-{seed}.txt").write_text(written.getvalue())
    return code


def _figures(
    counts: Mapping[str, int], healed: Sequence[dict[str, Any]], found: Sequence[Judgement], book: Book
) -> int:
    rows = []
    moved: dict[str, list[float]] = {}
    for kind in counts:
        back = [float(one["back"]) for one in healed if one["kind"] == kind]
        moved[kind] = [float(one["moved"]) for one in healed if one["kind"] == kind and one["moved"] is not None]
        figures = [figure for values in (back, moved[kind]) for figure in _spread(values)]
        rows.append([kind, len(back), len(moved[kind]), *figures])
    table(["killed", "times", "with work", "back p50", "p95", "max", "moved p50", "p95", "max s"], rows)
    last = found[-1] if found else None
    if last is not None:
        facts = f"{last.recordings} recordings, {last.windows} windows, {last.again} of them handed over again"
        print(f"{facts}, {last.restarts} workflows lost by Temporal")
    doors = sorted({entry.door for entry in book.entries})
    print("; ".join(f"{door} {sum(entry.door == door for entry in book.entries)}" for door in doors))
    for line, number in book.refused.items():
        print(f"answered {number} times: {line}")
    return verdict(
        [
            *(
                Goal(f"{kind} kills", sum(one["kind"] == kind for one in healed), count)
                for kind, count in counts.items()
            ),
            Goal("lost", len(last.lost) if last else float("nan"), 0, at_most=True),
            Goal("doubled", len(last.doubled) if last else float("nan"), 0, at_most=True),
            Goal("found by the oracle", len(last.oracle) if last else float("nan"), 0, at_most=True),
            Goal("answers that should not be", book.refused.total(), 0, at_most=True),
            Goal("a killed worker's work moves, p95 s", percentile(moved["worker"], 95), WORKER_GOAL, at_most=True),
        ]
    )


def _spread(seconds: Sequence[float]) -> list[float]:
    return [percentile(seconds, 50), percentile(seconds, 95), max(seconds, default=float("nan"))]


def _read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--counts", type=int, nargs=4, default=list(COUNTS.values()), metavar=tuple(COUNTS))
    parser.add_argument("--pause", type=float, default=2.0, help="longest pause before a kill (%(default)s s)")
    parser.add_argument("--rest-every", type=int, default=50, help="kills between two comparisons (%(default)s)")
    parser.add_argument("--at-once", type=int, default=8, help="recordings under way at most (%(default)s)")
    said = "then it compares and reports; called again it goes on"
    parser.add_argument("--minutes", type=float, default=float("inf"), help=f"of kills; {said}")
    parser.add_argument("--fresh", action="store_true", help="forget what was killed before")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
