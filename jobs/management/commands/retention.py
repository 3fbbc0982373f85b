"""`manage.py retention`: delete what RETENTION_DAYS lets go, now; or say beforehand what would go on which day."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from jobs import words
from jobs.services.retention import Tally, delete_due, forecast

MOST = 365_000
WIDTHS = (12, 12, 10)


class Command(BaseCommand):
    help = "Delete recordings whose time is over, which workers do every hour; or say what goes when."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="delete nothing: count what goes on each day (UTC)")
        parser.add_argument("--days", type=int, help="with --dry-run: as if RETENTION_DAYS were this")

    def handle(self, *args: Any, dry_run: bool, days: int | None, **options: Any) -> None:
        if days is not None and not (dry_run and 1 <= days <= MOST):
            raise CommandError(f"--days is for --dry-run, and from 1 to {MOST}.")
        days = settings.RETENTION_DAYS if days is None else days
        if not days:
            raise CommandError("RETENTION_DAYS is 0: nothing is ever deleted by itself. Try --dry-run --days 30.")
        self.stdout.write(_forecast(days) if dry_run else _delete())


def _forecast(days: int) -> str:
    kept, *going = forecast(days, timezone.now())
    rows = [("day", "recordings", "size"), *map(_row, going)]
    rows.append(("together", f"{sum(t.recordings for t in going)}", words.size(sum(t.size for t in going))))
    table = "\n".join("".join(cell.rjust(width) for cell, width in zip(row, WIDTHS, strict=True)) for row in rows)
    return f"With {days} days, unless they are kept or run again:\n{table}\nKept: {_said(kept.recordings, kept.size)}."


def _row(tally: Tally) -> tuple[str, str, str]:
    return f"{tally.day}", f"{tally.recordings}", words.size(tally.size)


def _delete() -> str:
    """Until nothing is due; what others do to it meanwhile is theirs."""
    recordings = size = 0
    while True:
        deleted = delete_due()
        recordings, size = recordings + deleted.recordings, size + deleted.size
        if not deleted.more or not deleted.recordings:
            return f"Deleted: {_said(recordings, size)}."


def _said(recordings: int, size: int) -> str:
    return f"{recordings} recordings, {words.size(size)}"
