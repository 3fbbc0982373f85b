"""The step from an upload to a job, killed at each of its lines: one recording, whole, once its client asks again."""

import errno
import hashlib
import json
import os
import subprocess
import sys
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from accounts.models import User
from jobs.models import Job, Run, Upload
from jobs.services.files import remove_recording
from jobs.services.options import Options
from jobs.services.submit import submit
from jobs.services.sweep import sweep
from transcribe.serving import ROOT, database_of_this_run

pytestmark = pytest.mark.django_db(transaction=True)
CONTENT = b"a recording"


def test_a_kill_at_any_line_loses_nothing_and_makes_one_job(alice: User, media: Path) -> None:
    uploads = [whole_upload(alice) for _ in range(120)]
    command = [sys.executable, "-m", "transcribe.dying", *(str(one.pk) for one in uploads)]
    environment = os.environ | {"DATABASE_URL": database_of_this_run(), "MEDIA_ROOT": str(media)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    died: list[str] = json.loads(done.stdout)
    print(len(died), "lines; the first and the last:", died[0], died[-1])
    for name in ("put_in", "commit", "_make", "complete", "submit"):
        assert any(name in line for line in died), name
    used = uploads[: len(died)]
    assert Job.objects.count() == Run.objects.count() == len(used)
    for upload in used:
        job = Job.objects.get(upload=upload)
        assert (job.size, job.sha256) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
        assert job.path.read_bytes() == CONTENT
    two_names = [upload for upload in used if upload.path.exists()]  # killed behind the commit
    assert two_names
    remove_recording(Job.objects.get(upload=two_names[0]))
    sweep(timezone.now() + timedelta(hours=2))
    assert not any(upload.path.exists() for upload in used)
    assert all(job.path.exists() for job in Job.objects.exclude(pk=two_names[0].pk))


def test_a_file_system_without_links_is_taken_too(alice: User, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    upload = whole_upload(alice)
    assert submit(upload.pk, sha256="", options=Options()).path.read_bytes() == CONTENT
    assert not upload.path.exists()


def whole_upload(owner: User) -> Upload:
    """All of its bytes have arrived, and nobody has looked since."""
    upload = Upload.objects.create(
        pk=uuid.uuid4(),
        owner=owner,
        title="talk.mp3",
        length=len(CONTENT),
        resumable=True,
        expires_at=timezone.now() + timedelta(hours=1),
    )
    upload.path.parent.mkdir(parents=True, exist_ok=True)
    upload.path.write_bytes(CONTENT)
    return upload
