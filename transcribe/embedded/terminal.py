"""The main job from a terminal: take files in, follow their runs, hand out their text. Same verbs as every door."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO
from uuid import UUID

from django.utils import timezone

from jobs import words
from jobs.errors import Conflict, JobError
from jobs.exports import FORMATS, export
from jobs.models import Job, Run
from jobs.progress import Progress, progress_of
from jobs.services.cancel import cancel
from jobs.services.options import Options
from jobs.services.take_in import take_in
from jobs.states import FINAL, RunState
from jobs.uploads.titles import title_of

LOOK_SECONDS = 0.5
BAR_WIDTH = 30


@dataclass
class Item:
    """One file on its way: its job, or the sentence that refused it."""

    path: Path
    job: Job | None = None
    problem: str = ""


def find_files(paths: list[Path]) -> Iterator[Path]:
    """The files named, and those in the folders named, in order; hidden ones in folders are left out."""
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
        else:
            yield path


def take_in_all(paths: list[Path], owner_id: int, options: Options) -> list[Item]:
    """Queue every file; one that is refused is named and does not stop the others."""
    items = []
    for path in find_files(paths):
        item = Item(path)
        try:
            item.job = take_in(path, owner_id=owner_id, title=title_of(path.name), options=options)
        except JobError as refusal:
            item.problem = refusal.detail
        except OSError as error:
            item.problem = f"It cannot be read: {error.strerror}."
        items.append(item)
    return items


def follow(items: list[Item], *, ended: Callable[[Item, Run], None], screen: TextIO) -> None:
    """Wait until every run has ended, with one progress line; `ended` is called once for each, as it ends."""
    waiting = {item.job.pk: item for item in items if item.job is not None}
    line = ProgressLine(screen, len(waiting))
    try:
        while waiting:
            runs = {run.job_id: run for run in _current_runs(waiting)}
            for job_id in waiting.keys() - runs.keys():
                waiting.pop(job_id).problem = "It was deleted before it was transcribed."
            for job_id in [pk for pk, run in runs.items() if run.state in FINAL]:
                line.clear()
                ended(waiting.pop(job_id), runs[job_id])
            line.show([runs[pk] for pk in waiting])
            if waiting:
                time.sleep(LOOK_SECONDS)
    finally:
        line.clear()


def cancel_all(items: list[Item]) -> None:
    """Ctrl-C: no run of these goes on."""
    for item in items:
        if item.job is not None:
            job = Job.objects.select_related("current_run").filter(pk=item.job.pk).first()
            with suppress(Conflict):  # it had ended
                if job is not None:
                    cancel(job)


def write(item: Item, run: Run, format_name: str, output: Path | None, *, several: bool) -> None:
    """The transcript, to standard output or to `output`: a file, or for several recordings a folder."""
    if output is None:
        if several:
            sys.stdout.write(f"== {item.path}\n")
        sys.stdout.writelines(export(run, format_name))
        sys.stdout.flush()
        return
    target = output
    if several or output.is_dir():
        target = output / f"{item.path.name}{FORMATS[format_name].suffix}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8") as file:
        file.writelines(export(run, format_name))


def _current_runs(job_ids: Iterable[UUID]) -> list[Run]:
    jobs = Job.objects.filter(pk__in=list(job_ids)).select_related("current_run")
    return [job.current_run for job in jobs if job.current_run is not None]


class ProgressLine:
    """Percent and time left of all recordings together, on one line of a terminal; silent where there is none."""

    def __init__(self, screen: TextIO, total: int) -> None:
        self._screen = screen
        self._total = total

    def show(self, runs: list[Run]) -> None:
        """Draw the state of the runs still waiting."""
        if not self._screen.isatty():
            return
        known = progress_of(runs, timezone.now())
        found = list(known.values())
        planned = sum(progress.total for progress in found)
        heard = sum(progress.done for progress in found) / planned if planned else 0.0
        share = (self._total - len(runs) + heard * len(runs)) / self._total if self._total else 1.0
        filled = round(share * BAR_WIDTH)
        bar = "█" * filled + "░" * (BAR_WIDTH - filled)
        self._screen.write(f"\r\x1b[K{bar} {share:4.0%}  {_time_left(found)}{_doing(runs, known)}")
        self._screen.flush()

    def clear(self) -> None:
        """Give the line back."""
        if self._screen.isatty():
            self._screen.write("\r\x1b[K")
            self._screen.flush()


def _time_left(found: list[Progress]) -> str:
    known = [progress.left for progress in found if progress.left is not None]
    if not known:
        return ""
    left = round(sum(known))
    return f"{left // 60}:{left % 60:02d} left, "


def _doing(runs: list[Run], known: dict[UUID, Progress]) -> str:
    running = [run for run in runs if run.state == RunState.RUNNING]
    if running:
        return running[0].stage
    return words.waiting(runs[0], known[runs[0].pk]) if runs and runs[0].pk in known else ""
