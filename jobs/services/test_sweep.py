import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import User
from jobs.models import Job, Run, Upload
from jobs.services.options import Options
from jobs.services.sweep import ORPHAN_AGE, Swept, sweep
from jobs.uploads import store

pytestmark = pytest.mark.django_db
NOTHING = Swept(uploads=0, files=0)


def grow_old(path: Path) -> None:
    then = (timezone.now() - ORPHAN_AGE - timedelta(minutes=1)).timestamp()
    os.utime(path, (then, then))


def test_an_expired_upload_leaves_with_its_file(alice: User, media: Path) -> None:
    writer = store.begin(alice, "talk.mp3")
    writer.append(b"half")
    writer.close()
    assert sweep() == NOTHING
    assert sweep(writer.upload.expires_at + timedelta(seconds=1)) == Swept(uploads=1, files=0)
    assert not writer.upload.path.exists()
    assert not Upload.objects.exists()


def test_an_upload_that_is_being_written_stays(alice: User, media: Path) -> None:
    writer = store.begin(alice, "talk.mp3")
    later = writer.upload.expires_at + timedelta(seconds=1)
    assert sweep(later) == NOTHING
    writer.close()
    assert sweep(later).uploads == 1


def test_a_finished_upload_leaves_and_its_job_stays(alice: User, media: Path) -> None:
    writer = store.begin(alice, "talk.mp3")
    writer.append(b"x")
    job = store.complete(writer, Options())
    writer.close()
    assert sweep(writer.upload.expires_at + timedelta(seconds=1)) == Swept(uploads=1, files=0)
    assert Job.objects.get() == job
    assert job.path.exists()


def test_old_files_and_folders_without_rows_leave(media: Path) -> None:
    file, folder = media / "uploads" / str(uuid4()), media / "jobs" / str(uuid4())
    file.parent.mkdir(parents=True)
    folder.mkdir(parents=True)
    file.write_bytes(b"x")
    (folder / "source").write_bytes(b"x")
    assert sweep() == NOTHING  # a job's row may be a moment behind its folder
    grow_old(file)
    grow_old(folder)
    assert sweep() == Swept(uploads=0, files=2)
    assert not file.exists()
    assert not folder.exists()
    assert sweep() == NOTHING


def test_a_rendition_that_was_never_finished_leaves(alice: User, make_job: Callable[..., Job]) -> None:
    job = make_job(alice, state="running")  # not even a run that goes on needs it: each try writes one of its own
    part = job.folder / f"rendition.mp3.{uuid4().hex}.part"
    for path in (part, job.rendition_path):
        path.write_bytes(b"x")
    assert sweep() == NOTHING
    for path in (part, job.rendition_path):
        grow_old(path)
    assert sweep() == Swept(uploads=0, files=1)
    assert job.rendition_path.exists()


def test_samples_of_ended_runs_leave_and_those_of_open_ones_stay(alice: User, make_job: Callable[..., Job]) -> None:
    ended, going = make_job(alice, state="cancelled"), make_job(alice, state="running")
    samples = [Run.objects.get(job=job).samples_path for job in (ended, going)]
    parts = [path.with_name(path.name + ".part") for path in samples]
    for path in (*samples, *parts):
        path.write_bytes(b"x")
    assert sweep() == NOTHING
    for path in (*samples, *parts, ended.path):
        grow_old(path)
    assert sweep() == Swept(uploads=0, files=2)
    assert [path.exists() for path in (*samples, *parts)] == [False, True, False, True]
    assert ended.path.exists()


def test_what_has_a_row_or_is_not_ours_stays(alice: User, make_job: Callable[..., Job], media: Path) -> None:
    job = make_job(alice)
    writer = store.begin(alice, "talk.mp3")
    writer.close()
    foreign = media / "jobs" / "lost+found"
    foreign.mkdir()
    for path in (job.folder, writer.upload.path, foreign):
        grow_old(path)
    assert sweep() == NOTHING
    assert job.path.exists()
    assert writer.upload.path.exists()
    assert foreign.exists()
