"""`manage.py transcribe FILE ...`: the same job from a terminal. Several files and folders: how operators import."""

import signal
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from jobs.errors import JobError
from jobs.exports import FORMATS
from jobs.models import Run
from jobs.services.options import FIELDS, TRANSLATE, read_options
from jobs.states import RunState
from transcribe.embedded import environment, places, terminal
from transcribe.embedded.child import leashed
from transcribe.embedded.stack import Stack, StackError
from worker.model import is_path

INTERRUPTED = 130  # what a shell gives a program ended by Ctrl-C


class Command(BaseCommand):
    help = "Transcribe recordings: text on standard output, or in files. Starts the embedded stack when none runs."
    requires_system_checks = []  # they would want the database that may have to be started first

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="FILE", help="recordings, or folders of them")
        parser.add_argument("--language", help="a code such as en or de; left out: found out")
        parser.add_argument("--model", help="one that a worker offers; left out: the default one")
        parser.add_argument("--translate", action="store_true", help="write the text in English, whatever is spoken")
        parser.add_argument("--prompt", help="text as if said just before the recording: its topic, its style")
        parser.add_argument("--hot-words", help="names and terms to expect, parted by commas")
        parser.add_argument("--beam", help="1 is quick (left out), 5 is thorough and takes longer; at most 8")
        parser.add_argument("--format", choices=sorted(FORMATS), default="txt")
        parser.add_argument("-o", "--output", type=Path, help="a file, or a folder for several recordings")
        parser.add_argument("--user", help="whose recordings they become; left out: the first administrator's")

    def handle(self, *args: Any, **options: Any) -> None:
        if environment.needs_stack():
            sys.exit(self._with_a_stack(options["model"]))
        signal.signal(
            signal.SIGINT, signal.default_int_handler
        )  # ignored where a command with a stack started this one
        owner = _owner(options["user"])
        try:
            chosen = read_options(_asked(options))
        except JobError as refusal:
            raise CommandError(refusal.detail) from None
        if settings.DEMO_MODEL:
            self.stderr.write("This is the small demo model: it knows the sentences of its samples and little else.")
        items = terminal.take_in_all(options["paths"], owner.pk, chosen)
        try:
            self._follow(items, options)
        except KeyboardInterrupt:
            terminal.cancel_all(items)
            self.stderr.write("Cancelled.")
            sys.exit(INTERRUPTED)
        self._report(items)

    def _with_a_stack(self, model: str | None) -> int:
        """This very command as a child on a stack of its own: what the stack chose (the model) is settings there."""
        given = environment.given() | ({"WHISPER_MODEL": model} if model else {})
        stack = Stack(places.data_folder(), given=given, web=False, say=self._note)
        try:
            stack.start()
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the child too, and is its to answer
            command = leashed([sys.executable, places.CHECKOUT / "manage.py", *sys.argv[1:]])
            return subprocess.run(command, env=stack.environment(), check=False).returncode
        except StackError as error:
            raise CommandError(str(error)) from error
        finally:
            stack.stop()

    def _note(self, line: str) -> None:
        """The stack's lines, beside the text and not in it; silent once the child draws its progress."""
        if "| " not in line:
            self.stderr.write(line)

    def _follow(self, items: list[terminal.Item], options: dict[str, Any]) -> None:
        several = len(items) > 1

        def ended(item: terminal.Item, run: Run) -> None:
            if run.state == RunState.SUCCEEDED:
                terminal.write(item, run, options["format"], options["output"], several=several)
            else:
                item.problem = run.detail or "It was cancelled."

        terminal.follow(items, ended=ended, screen=sys.stderr)

    def _report(self, items: list[terminal.Item]) -> None:
        """Name what was not transcribed; exit code 1 then, and where there was nothing to do."""
        bad = [item for item in items if item.problem]
        for item in bad:
            self.stderr.write(f"{item.path}: {item.problem}")
        if len(items) > 1:
            self.stderr.write(f"{len(items) - len(bad)} of {len(items)} recordings transcribed.")
        if bad or not items:
            sys.exit(1)


def _asked(options: dict[str, Any]) -> dict[str, str | None]:
    """The fields of a form. A checkpoint's path is the model of a stack of this command's own, known by its name."""
    model = options["model"]
    if model and is_path(model):
        model = Path(model).stem
    task = TRANSLATE if options["translate"] else None
    return {name: options.get(name) for name in FIELDS} | {"model": model, "task": task}


def _owner(name: str | None) -> User:
    people = User.objects.filter(is_active=True)
    found = people.filter(username=name).first() if name else people.filter(is_superuser=True).order_by("pk").first()
    if found is None:
        raise CommandError(f"There is no user {name!r}." if name else "There is no administrator. Create one first.")
    return found
