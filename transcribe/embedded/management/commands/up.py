"""`manage.py up`: the embedded stack, in the foreground. For trials and tests, never for production."""

import contextlib
import signal
import threading
from argparse import ArgumentParser
from types import FrameType
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError

from transcribe.embedded import environment, places
from transcribe.embedded.stack import Stack, StackError

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Command(BaseCommand):
    help = "Start everything on this machine: for trials and tests, never for production."
    requires_system_checks = []  # they would want the database that is started here

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="of the web pages on 127.0.0.1 (default: 8000)")

    def handle(self, *args: Any, port: int, **options: Any) -> None:
        data = places.data_folder()
        stack = Stack(data, port=port, given=environment.given(), say=self._say)
        self._say("Transcribe, the embedded stack: for trials and tests, never for production.")
        self._say(f"Data folder: {data}")
        for number in SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup means: go on
                signal.signal(number, _end)
        try:
            stack.start()
            self._say("Press Ctrl-C to stop.")
            threading.Event().wait()
        except StackError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self._say("Stopping. Press Ctrl-C again to stop at once.")
        for number in SIGNALS:
            signal.signal(number, lambda _number, _frame: stack.supervisor.hurry())
        stack.stop()
        self._say("Stopped. All data is kept.")

    def _say(self, line: str) -> None:
        """Nobody may be reading any more; the children must not suffer from that."""
        with contextlib.suppress(OSError):
            self.stdout.write(line)
            self.stdout.flush()


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
