"""`manage.py confirm_model NAME`: the weights behind a recorded name were replaced on purpose."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from jobs.models import Checkpoint
from jobs.services.checkpoints import confirm_checkpoint
from worker.model import ModelMissing, digest, resolve


class Command(BaseCommand):
    help = "Show the recorded and the present hash of a model's weights, and accept the present one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the name runs know the model by")
        parser.add_argument("--file", type=Path, help="its checkpoint (default: that of the settings)")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, name: str, file: Path | None, yes: bool, **options: Any) -> None:
        recorded = Checkpoint.objects.filter(name=name).first()
        if recorded is None:
            known = ", ".join(Checkpoint.objects.order_by("name").values_list("name", flat=True)) or "none"
            raise CommandError(f"No model named {name} has been loaded yet. Recorded names: {known}.")
        present = _hash(file or _configured(name))
        self.stdout.write(f"Recorded: {recorded.sha256}\nPresent:  {present}")
        if present == recorded.sha256:
            self.stdout.write("They are the same. Nothing to confirm.")
        elif yes or input("Use the present weights from now on? [y/N] ").strip().lower() == "y":
            confirm_checkpoint(name, present)
            self.stdout.write("Confirmed. Start the worker again.")
        else:
            raise CommandError("Not confirmed. The worker keeps refusing these weights.")


def _configured(name: str) -> Path:
    """The checkpoint of the settings, when they name this model."""
    if name not in settings.MODELS:
        known = ", ".join(settings.MODELS)
        raise CommandError(f"The settings name {known}. Give the checkpoint of {name} with --file.")
    try:
        return resolve(settings.MODELS[name], Path(settings.MODEL_FOLDER) if settings.MODEL_FOLDER else None)
    except ModelMissing as error:
        raise CommandError(str(error)) from error


def _hash(path: Path) -> str:
    try:
        return digest(path)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
