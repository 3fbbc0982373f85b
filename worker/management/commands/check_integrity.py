"""`manage.py check_integrity`: whether rows, files and workflows agree; what is wrong, and how to mend it."""

import asyncio
import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from temporalio.service import RPCError

from jobs.integrity.checks import Fault, Looked, look
from jobs.integrity.stored import GRACE_SECONDS, rooms
from worker.client import connect
from worker.integrity import Witness

PAUSE_SECONDS = 5.0
SHOWN = 20  # ids of one kind; `--json` has all
ASKED, AWAY, NOT_ASKED = "asked", "away", "not asked"
UNKNOWN = {AWAY: "Temporal does not answer", NOT_ASKED: "Temporal was not asked"}


class Command(BaseCommand):
    help = "Compare the database, the files and Temporal. Changes nothing; may run beside everything else."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--deep", action="store_true", help="read every recording and compare its SHA-256")
        parser.add_argument("--no-temporal", action="store_true", help="look at the database and the files alone")
        parser.add_argument("--json", action="store_true", help="for programs")
        parser.add_argument(
            "--grace", type=float, default=GRACE_SECONDS, help="seconds that files nobody needs may stay (%(default)s)"
        )
        parser.add_argument(
            "--pause", type=float, default=PAUSE_SECONDS, help="seconds before a second look (%(default)s)"
        )

    def handle(self, *args: Any, deep: bool, no_temporal: bool, grace: float, pause: float, **options: Any) -> None:
        looked = look(rooms(deep=deep, grace=grace), pause)
        temporal = NOT_ASKED if no_temporal else _ask_temporal(looked, pause)
        self.stdout.write(_as_json(looked, temporal) if options["json"] else _as_text(looked, temporal))
        if looked.faults:
            wrong = sum(len(fault.ids) or 1 for fault in looked.faults)
            raise CommandError(f"{wrong} found wrong.")


def _ask_temporal(looked: Looked, pause: float) -> str:
    """Add what Temporal knows; without it that much is not known, which is no fault of what is stored."""
    with asyncio.Runner() as runner:
        try:
            found = look(Witness(runner.run(connect()), runner).rooms(), pause)
        except (RuntimeError, RPCError):  # a client that never reached the server raises the first
            return AWAY
    looked.counts |= found.counts
    looked.faults += found.faults
    return ASKED


def _as_text(looked: Looked, temporal: str) -> str:
    counts = ", ".join(f"{count} {about}" for about, count in looked.counts.items())
    lines = [f"Looked at {counts}."]
    if temporal != ASKED:
        lines.append(f"{UNKNOWN[temporal]}: whether something works on what is under way was not compared.")
    for fault in looked.faults:
        lines += ["", *_said(fault)]
    return "\n".join(lines if looked.faults else [*lines, "All of it agrees."])


def _said(fault: Fault) -> list[str]:
    more = len(fault.ids) - SHOWN
    return [
        f"{fault.check.code} ({f'{len(fault.ids)} ' if fault.ids else ''}{fault.about}): {fault.check.wrong}",
        f"  To mend it: {fault.check.mend}",
        *(f"  {key}" for key in fault.ids[:SHOWN]),
        *([f"  and {more} more; --json names all"] if more > 0 else []),
    ]


def _as_json(looked: Looked, temporal: str) -> str:
    faults = [
        {
            "code": fault.check.code,
            "about": fault.about,
            "wrong": fault.check.wrong,
            "mend": fault.check.mend,
            "ids": [str(key) for key in fault.ids],
        }
        for fault in looked.faults
    ]
    return json.dumps({"looked_at": looked.counts, "temporal": temporal, "faults": faults}, indent=2)
