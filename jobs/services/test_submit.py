from pathlib import Path

import pytest
from django.utils import timezone

from accounts.models import User
from jobs.errors import Conflict, JobError
from jobs.models import Job, Upload
from jobs.services.options import Options, read_options
from jobs.services.submit import submit


def upload_of(owner: User, content: bytes = b"sound") -> Upload:
    upload = Upload.objects.create(owner=owner, title="talk.mp3", offset=len(content), expires_at=timezone.now())
    upload.path.parent.mkdir(parents=True, exist_ok=True)
    upload.path.write_bytes(content)
    return upload


def test_a_complete_upload_becomes_a_queued_job(alice: User, media: Path) -> None:
    upload = upload_of(alice)
    job = submit(upload.pk, sha256="a" * 64, options=Options(language="de"))
    assert job.current_run is not None
    assert (job.owner, job.title, job.size, job.sha256) == (alice, "talk.mp3", 5, "a" * 64)
    assert (job.current_run.state, job.current_run.options) == (
        "queued",
        Options("de").as_json(),
    )
    assert job.path.read_bytes() == b"sound"
    assert not upload.path.exists()
    assert [e.state for e in job.current_run.events.all()] == ["queued"]


def test_submitting_twice_gives_the_same_job(alice: User, media: Path) -> None:
    upload = upload_of(alice)
    first = submit(upload.pk, sha256="a" * 64, options=Options())
    assert submit(upload.pk, sha256="a" * 64, options=Options()) == first
    assert Job.objects.count() == 1
    assert first.runs.count() == 1


def test_an_upload_that_is_gone_is_a_conflict(alice: User, media: Path) -> None:
    upload = upload_of(alice)
    upload.delete()
    with pytest.raises(Conflict):
        submit(Upload().pk, sha256="a" * 64, options=Options())


def test_no_file_means_no_job(alice: User, media: Path) -> None:
    upload = upload_of(alice)
    upload.path.unlink()
    with pytest.raises(FileNotFoundError):
        submit(upload.pk, sha256="a" * 64, options=Options())
    assert Job.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize(("given", "kept"), [({}, None), ({"language": ""}, None), ({"language": " DE "}, "de")])
def test_options_are_read(given: dict[str, str | None], kept: str | None) -> None:
    assert read_options(given) == Options(language=kept)


def test_a_language_nobody_speaks_is_refused() -> None:
    with pytest.raises(JobError) as refusal:
        read_options({"language": "klingon"})
    assert refusal.value.code == "bad_language"
