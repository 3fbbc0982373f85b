"""The hash a model name had at its first load: a change is refused until the operator confirms it."""

from django.db import transaction
from django.utils import timezone

from jobs.errors import JobError
from jobs.models import Checkpoint


def admit_checkpoint(name: str, sha256: str) -> None:
    """Record the hash at the first load; raise JobError (code `model_changed`) when it is another one now."""
    known, _new = Checkpoint.objects.get_or_create(name=name, defaults={"sha256": sha256})
    if known.sha256 != sha256:
        raise JobError(
            "The weights of model %(name)s are not the ones recorded (%(before)s before, %(now)s now). "
            "If you replaced them on purpose, run `manage.py confirm_model %(name)s`.",
            code="model_changed",
            name=name,
            before=known.sha256[:12],
            now=sha256[:12],
        )


def confirm_checkpoint(name: str, sha256: str) -> None:
    """The operator says that this is the model meant by the name from now on."""
    with transaction.atomic():
        Checkpoint.objects.update_or_create(name=name, defaults={"sha256": sha256, "confirmed_at": timezone.now()})
