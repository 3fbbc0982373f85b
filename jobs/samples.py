"""The recordings that ship: "Try a sample" puts one through the same verb as every file."""

from pathlib import Path

from django.conf import settings

from accounts.models import User
from jobs.models import Job
from jobs.services.options import Options
from jobs.services.take_in import take_in

SAMPLES = {"english": "Sample in English.mp3", "german": "Sample in German.mp3"}


def submit_sample(owner: User, name: str, options: Options | None = None) -> Job:
    """A job of this owner from the sample `name` (a key of SAMPLES); without `options` its language is found out."""
    source = Path(settings.BASE_DIR) / "worker" / "demo" / "samples" / f"{name}.mp3"
    return take_in(source, owner_id=owner.pk, title=SAMPLES[name], options=options or Options())
