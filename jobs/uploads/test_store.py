import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import User
from jobs.errors import BadUpload, StorageFull, TooLarge
from jobs.models import Job, Upload
from jobs.services.options import Options
from jobs.services.submit import submit
from jobs.uploads import locks, store
from jobs.uploads.refusals import Locked, TooManyUploads

pytestmark = pytest.mark.django_db


def test_written_bytes_become_a_job(alice: User, media: Path) -> None:
    writer = store.begin(alice, "talk.mp3")
    for piece in (b"one", b"two"):
        writer.append(piece)
    job = store.complete(writer, Options(language="de"))
    writer.close()
    assert (job.owner, job.title, job.size) == (alice, "talk.mp3", 6)
    assert job.sha256 == hashlib.sha256(b"onetwo").hexdigest()
    assert job.path.read_bytes() == b"onetwo"


def test_a_later_writer_goes_on_and_hashes_the_whole(alice: User, media: Path) -> None:
    first = store.begin(alice, "talk.mp3")
    first.append(b"one")
    first.close()
    second = store.Writer(first.upload)
    assert second.offset == 3
    second.append(b"two")
    assert store.complete(second, Options()).sha256 == hashlib.sha256(b"onetwo").hexdigest()
    second.close()


def test_completing_again_gives_the_same_job(alice: User, media: Path) -> None:
    writer = store.begin(alice, "talk.mp3")
    writer.append(b"x")
    job = store.complete(writer, Options())
    assert submit(writer.upload.pk, sha256="", options=Options()) == job
    writer.close()
    assert Job.objects.count() == 1


def test_an_upload_has_one_writer(alice: User, media: Path) -> None:
    writer = store.begin(alice, "talk.mp3")
    with pytest.raises(Locked):
        store.Writer(writer.upload)
    writer.close()
    store.Writer(writer.upload).close()


def test_a_writer_sees_that_another_waits(alice: User, media: Path) -> None:
    writer = store.begin(alice, "talk.mp3")
    assert not writer.is_wanted()
    with locks.asking(writer.upload.path), locks.asking(writer.upload.path):
        assert writer.is_wanted()
    assert not writer.is_wanted()
    writer.close()
    assert not writer.is_wanted()
    with locks.asking(media / "nothing"):
        pass


def test_a_late_writer_does_not_touch_the_recording(alice: User, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between opening the file and locking it, the writer before completes: the open file is the recording now."""
    first = store.begin(alice, "talk.mp3")
    first.append(b"x")
    take = locks.take

    def late(file: int) -> bool:
        store.complete(first, Options())
        first.close()
        return take(file)

    monkeypatch.setattr(locks, "take", late)
    with pytest.raises(FileNotFoundError):
        store.Writer(first.upload)
    assert not first.upload.path.exists()


def test_bytes_cut_back_are_not_hashed(alice: User, media: Path) -> None:
    writer = store.begin(alice, "talk.mp3")
    writer.append(b"one too many")
    writer.cut_back(3)
    assert writer.offset == writer.upload.path.stat().st_size == 3
    assert store.complete(writer, Options()).sha256 == hashlib.sha256(b"one").hexdigest()
    writer.close()


def test_the_limit_is_inclusive(alice: User, media: Path, settings: Any) -> None:
    settings.UPLOAD_LIMIT_BYTES = 4
    writer = store.begin(alice, "talk.mp3")
    writer.append(b"1234")
    with pytest.raises(TooLarge):
        writer.append(b"5")
    assert writer.offset == writer.upload.path.stat().st_size == 4
    writer.close()


def test_an_empty_upload_is_no_job(alice: User, media: Path) -> None:
    writer = store.begin(alice, "talk.mp3")
    with pytest.raises(BadUpload, match="empty"):
        store.complete(writer, Options())
    writer.close()


def test_a_length_that_cannot_fit_is_refused_before_a_row(alice: User, media: Path) -> None:
    media.mkdir()
    with pytest.raises(StorageFull):
        store.begin(alice, "talk.mp3", shutil.disk_usage(media).total + 1)
    assert not Upload.objects.exists()


def test_discarding_an_upload_that_became_a_job_keeps_the_recording(alice: User, media: Path) -> None:
    writer = store.begin(alice, "talk.mp3")
    writer.append(b"x")
    job = store.complete(writer, Options())
    writer.close()
    store.discard(writer.upload)
    assert job.path.read_bytes() == b"x"
    assert Upload.objects.get().job == job


def test_a_person_has_a_limited_number_of_unfinished_uploads(
    alice: User, bob: User, media: Path, settings: Any
) -> None:
    settings.UPLOADS_UNFINISHED_LIMIT = 2
    writers = [store.begin(alice, "talk.mp3") for _ in range(2)]
    with pytest.raises(TooManyUploads, match="2 unfinished"):
        store.begin(alice, "talk.mp3")
    store.begin(bob, "talk.mp3").close()
    writers[0].append(b"x")
    store.complete(writers[0], Options())
    writers.append(store.begin(alice, "talk.mp3"))
    for writer in writers:
        writer.close()
    Upload.objects.filter(owner=alice).update(expires_at=timezone.now())
    store.begin(alice, "talk.mp3").close()


def test_promised_room_is_not_promised_again(alice: User, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    first = store.begin(alice, "talk.mp3", 60)
    with pytest.raises(StorageFull):
        store.begin(alice, "talk.mp3", 41)
    first.append(bytes(20))  # on disk, so no longer promised
    store.begin(alice, "talk.mp3", 60).close()
    store.discard(first.upload)
    first.close()
    store.begin(alice, "talk.mp3", 40).close()


@pytest.mark.django_db(transaction=True)
def test_uploads_at_the_same_moment_do_not_pass_the_limit(alice: User, media: Path, settings: Any) -> None:
    settings.UPLOADS_UNFINISHED_LIMIT = 3
    start = Barrier(8)

    def one(_: int) -> bool:
        start.wait(10)
        try:
            store.begin(alice, "talk.mp3").close()
        except TooManyUploads:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as people:
        assert sum(people.map(one, range(8))) == 3
    assert Upload.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_nobody_sees_an_upload_before_its_file_is_locked(
    alice: User, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who saw its row alone would take it for one that nobody writes any more."""
    key, seen = uuid4(), list[bool]()
    opened = store.Writer

    def look() -> None:
        seen.append(Upload.objects.filter(pk=key).exists())
        connection.close()

    def watched(upload: Upload, *, new: bool = False) -> store.Writer:
        if new:
            with ThreadPoolExecutor(1) as another:
                another.submit(look).result()
        return opened(upload, new=new)

    monkeypatch.setattr(store, "Writer", watched)
    writer = store.begin(alice, "a.mp3", upload_id=key)
    assert seen == [False]
    with pytest.raises(Locked):
        store.begin(alice, "a.mp3", upload_id=key)
    writer.close()


@pytest.mark.django_db(transaction=True)
def test_what_begins_anew_keeps_others_away_until_the_old_file_is_gone(
    alice: User, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, refused = uuid4(), list[str]()
    store.begin(alice, "a.mp3", upload_id=key).close()
    discard = store.discard

    def watched(upload: Upload) -> None:
        with pytest.raises(Locked) as busy:
            store.Writer(upload)
        refused.append(busy.value.code)
        discard(upload)

    monkeypatch.setattr(store, "discard", watched)
    store.begin(alice, "a.mp3", upload_id=key).close()
    assert refused == ["locked"]


@pytest.mark.django_db(transaction=True)
def test_a_file_taken_away_while_it_is_opened_is_another_ones_doing(
    alice: User, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(file: int, path: Path) -> None:
        path.unlink()
        raise FileNotFoundError(path)

    monkeypatch.setattr(locks, "check_place", gone)
    with pytest.raises(Locked):
        store.begin(alice, "a.mp3", upload_id=uuid4())
    assert not Upload.objects.exists()
