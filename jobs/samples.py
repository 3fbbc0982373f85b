"""The recordings that ship: "Try a sample" puts one through the same verb as every upload."""

import hashlib
import os
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from accounts.models import User
from jobs.models import Job, Upload
from jobs.services.options import Options
from jobs.services.submit import submit

SAMPLES = {"english": "Sample in English.mp3", "german": "Sample in German.mp3"}


def submit_sample(owner: User, name: str) -> Job:
    """A job of this owner from the sample `name` (a key of SAMPLES), its language left to be found out."""
    content = (Path(settings.BASE_DIR) / "worker" / "demo" / "samples" / f"{name}.mp3").read_bytes()
    expires_at = timezone.now() + timedelta(seconds=settings.UPLOAD_EXPIRY_SECONDS)
    upload = Upload.objects.create(
        owner=owner, title=SAMPLES[name], length=len(content), offset=len(content), expires_at=expires_at
    )
    _keep(upload.path, content)
    return submit(upload.pk, sha256=hashlib.sha256(content).hexdigest(), options=Options())


def _keep(path: Path, content: bytes) -> None:
    """On disk, flushed: `submit` only renames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
