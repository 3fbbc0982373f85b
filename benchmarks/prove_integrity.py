"""`poe prove integrity [COUNT]`: `manage.py check_integrity` on 100,000 recordings, in time and memory.

A recording made by the service's own verbs is copied, rows and file, and damaged in a few places. The command must name
exactly the damaged ones, in memory that does not grow with their number.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from benchmarks._report import Goal, place, table, verdict
from benchmarks._web import fresh_database
from transcribe.embedded import places

if TYPE_CHECKING:
    from django.db import models

COUNT, FEW, DAMAGED = 100_000, 1000, 3
GROWTH_GOAL = 32.0  # MB of memory, from few recordings to many
SECONDS_GOAL = 150.0  # of the processor, without the database
COPIES = "INSERT INTO {table} ({names}) SELECT {values} FROM {table} t, generate_series(%s, %s) n WHERE t.{column} = %s"
WINDOW_OF_COPY = (
    "(SELECT w.id FROM jobs_window w, jobs_window o "
    "WHERE o.id = t.window_id AND w.index = o.index AND w.run_id = md5(t.run_id || ' ' || n)::uuid)"
)


@dataclass(frozen=True)
class Looked:
    """What the command found, and what it took."""

    recordings: int
    faults: Mapping[str, set[str]]
    wall: float
    processor: float  # seconds of the command alone, without the database
    peak: float  # MB


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("count", type=int, nargs="?", default=COUNT)
    count = parser.parse_args().count
    place("Django", "psycopg")
    with fresh_database("transcribe.settings"):
        original = heard()
        fill(original, 1, FEW)
        found = [look()]
        fill(original, FEW + 1, count)
        damaged = damage(original, count)
        found += [look(), look("--deep")]
    return report(found, damaged)


def heard() -> Any:
    """A recording with its transcript, made as the service does it."""
    from accounts.models import User
    from jobs.hearing import hear
    from jobs.models import Run
    from jobs.services.begin import begin
    from jobs.services.options import Options
    from jobs.uploads import store

    writer = store.begin(User.objects.create(username="somebody"), "talk.mp3")
    writer.append(b"sound")
    job = store.complete(writer, Options())
    writer.close()
    run = Run.objects.get(job=job)
    if not begin(run.pk, attempt=1, worker="bench"):
        raise RuntimeError("the run did not begin")
    hear(run)
    return job


def fill(job: Any, first: int, last: int) -> None:
    """Copies of it with these numbers: rows by SQL, and the file."""
    from django.db import connection, transaction

    from jobs.models import Job, Run, RunEvent, Segment, Upload, Window

    run = job.current_run_id
    rows = [(Job, "id", job.pk), (Upload, "id", job.pk), (Run, "id", run), (RunEvent, "run_id", run)]
    rows += [(Window, "run_id", run), (Segment, "run_id", run)]
    with connection.cursor() as cursor:
        with transaction.atomic():
            for model, column, key in rows:
                cursor.execute(_copy(model, column), [first, last, key])
        cursor.execute("ANALYZE")
    for number in range(first, last + 1):
        path = Job(pk=_numbered(job.pk, number)).path
        path.parent.mkdir(parents=True)
        path.write_bytes(b"sound")


def _copy(model: "type[models.Model]", column: str) -> str:
    """INSERT of copies `n`, from the first to the last, of the rows whose `column` is a key."""
    fields = [field for field in model._meta.concrete_fields if field.get_internal_type() != "BigAutoField"]
    names = ", ".join(f'"{field.column}"' for field in fields)
    values = ", ".join(_value(str(field.column), field.get_internal_type()) for field in fields)
    return COPIES.format(table=model._meta.db_table, names=names, values=values, column=column)


def _value(name: str, kind: str) -> str:
    """Ids of copies are made of the original's and `n`."""
    if name == "window_id":
        return WINDOW_OF_COPY
    if name == "owner_id" or kind not in ("UUIDField", "ForeignKey", "OneToOneField"):
        return f't."{name}"'
    return f"md5(t.\"{name}\" || ' ' || n)::uuid"


def _numbered(key: UUID, number: int) -> UUID:
    return UUID(hashlib.md5(f"{key} {number}".encode(), usedforsecurity=False).hexdigest())


def damage(job: Any, last: int) -> dict[str, set[str]]:
    """Some of them, spread over all; what the command must say of them."""
    from jobs.models import Job, Run

    numbers = [last * nth // DAMAGED for nth in range(1, DAMAGED + 1)]
    keys = [_numbered(job.pk, number) for number in numbers]
    for key in keys:
        Job(pk=key).path.unlink()
    runs = [_numbered(job.current_run_id, number - 1) for number in numbers]
    Run.objects.filter(pk__in=runs).update(stage="transcribing")
    return {"file_missing": set(map(str, keys)), "stage": set(map(str, runs))}


def look(*arguments: str) -> Looked:
    """The command as an operator starts it."""
    command = [sys.executable, "manage.py", "check_integrity", "--no-temporal", "--json", *arguments]
    began = time.monotonic()
    with subprocess.Popen(command, cwd=places.CHECKOUT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        answer = json.load(process.stdout)
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
    wall = time.monotonic() - began
    faults = {fault["code"]: set(fault["ids"]) for fault in answer["faults"]}
    count = answer["looked_at"]["recordings"]
    return Looked(count, faults, wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def report(found: Sequence[Looked], damaged: Mapping[str, set[str]]) -> int:
    """Prints figures; the exit code."""
    few, many, deep = found
    names = ("quick", "quick", "--deep")
    rows = [[n, one.recordings, one.wall, one.processor, one.peak] for n, one in zip(names, found, strict=True)]
    table(["", "recordings", "wall s", "processor s", "peak MB"], rows)
    exact = few.faults == {} and many.faults == damaged == deep.faults
    return verdict(
        [
            Goal("exactly the damage is named", float(exact), 1),
            Goal(f"memory more than for {few.recordings}, MB", many.peak - few.peak, GROWTH_GOAL, at_most=True),
            Goal("processor s", many.processor, SECONDS_GOAL, at_most=True),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
