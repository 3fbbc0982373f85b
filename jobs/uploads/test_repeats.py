"""Requests sent again under one Idempotency-Key: one recording, whatever became of the first answer."""

from contextlib import closing

import pytest

from accounts.models import User
from jobs.models import Job, Upload
from transcribe.resuming import Tus, wait_until
from transcribe.serving import Browser, Server, ending, file_part, sign_in

pytestmark = pytest.mark.django_db(transaction=True)
KEY = {"Idempotency-Key": "meeting"}


@pytest.fixture
def browser(server: Server, alice: User) -> Browser:
    for path in server.files():
        path.unlink()
    return sign_in(server, alice)


def test_the_second_upload_is_the_first_recording(browser: Browser) -> None:
    first, second = browser.upload_file(b"sound", headers=KEY), browser.upload_file(b"sound", headers=KEY)
    assert (first.status, second.status) == (201, 201)
    assert first.content == second.content
    assert Job.objects.count() == 1
    assert browser.upload_file(b"sound", headers={"Idempotency-Key": "other"}).content != first.content


def test_a_key_is_each_persons_own(browser: Browser, server: Server, bob: User) -> None:
    browser.upload_file(b"sound", headers=KEY)
    assert sign_in(server, bob).upload_file(b"sound", headers=KEY).status == 201
    assert Job.objects.filter(owner=bob).count() == 1


def test_what_a_cut_left_does_not_stand_in_the_way(browser: Browser, alice: User) -> None:
    browser.upload_file(b"sound", headers=KEY)
    job = Job.objects.get()
    Job.objects.all().delete()
    Upload.objects.all().delete()
    Upload.objects.create(pk=job.pk, owner=alice, title="cut.mp3", length=9, expires_at=job.created_at)
    assert browser.upload_file(b"sound", headers=KEY).status == 201
    assert Job.objects.get().pk == job.pk


def test_one_that_is_on_its_way_is_not_disturbed(browser: Browser) -> None:
    body = [browser.token(), file_part(), b"sound", ending()]
    length = {"Content-Length": str(sum(map(len, body))), **KEY}
    with closing(browser.server.connect()) as first:
        head = browser.head("/api/v1/upload", length) + "\n"
        first.sendall(head.replace("\n", "\r\n").encode() + b"".join(body[:3]))
        wait_until(Upload.objects.exists)
        assert browser.upload_file(b"sound", headers=KEY).status == 423
        first.sendall(body[3])
        assert b" 201 " in first.recv(100)
    assert Job.objects.count() == 1


def test_a_key_that_is_none(browser: Browser) -> None:
    answer = browser.upload_file(b"sound", headers={"Idempotency-Key": "x" * 256})
    assert (answer.status, answer.content["code"]) == (400, "bad_key")


def test_a_resumable_upload_made_twice_is_one(tus: Tus) -> None:
    first, second = tus.create(5, headers=KEY), tus.create(5, headers=KEY)
    assert first == second
    assert Upload.objects.count() == 1
