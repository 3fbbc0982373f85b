"""`manage.py worker_health`: whether the worker of this machine or container is alive, for health checks."""

import socket
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error
from django.utils import timezone

from jobs.models import Worker

BEATS = 3  # silent for longer than so many, it is taken for dead, see `worker.presence.live_workers`


class Command(BaseCommand):
    help = "Exit code 0 while a worker of this machine beats, 1 when none does."
    requires_system_checks: list[str] = []  # it runs every minute

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--pid", type=int, help="that very process, where a machine has several")

    def handle(self, *args: Any, pid: int | None, **options: Any) -> None:
        rows = Worker.objects.filter(host=socket.gethostname()[:100], ended_at=None)
        try:
            newest = (rows if pid is None else rows.filter(pid=pid)).order_by("-seen_at").first()
        except Error as error:
            raise CommandError("The database does not answer, so no worker can say that it lives.") from error
        if newest is None:
            raise CommandError("No worker runs here, or it has not loaded its model yet.")
        age = (timezone.now() - newest.seen_at).total_seconds()
        if age > BEATS * settings.WORKER_BEAT_SECONDS:
            raise CommandError(f"The worker {newest} was last seen {age:.0f} s ago.")
        self.stdout.write(f"{newest} was seen {age:.0f} s ago.")
