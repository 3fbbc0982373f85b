"""What is kept of uploads, downloads and deletions: who and when, once, and never what was said or how it was named."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts import personal
from accounts.audit import Kind
from accounts.grants import Grant
from accounts.models import AuditEvent, User
from jobs.models import Job
from jobs.speaking import speak
from transcribe.serving import Server
from transcribe.serving import sign_in as sign_in_at


def written(*kinds: Kind) -> list[tuple[str, str, str, str]]:
    rows = AuditEvent.objects.filter(kind__in=kinds).order_by("pk")
    return [(row.kind, row.name, row.about, row.detail) for row in rows]


def test_downloads_from_pages_and_scripts(client: Client, alice: User, make_job: Callable[..., Job]) -> None:
    job = make_job(alice, state="succeeded")
    speak(job.current_run, ["A private word."])
    client.force_login(alice)
    script = Client(headers={"Authorization": f"Bearer {personal.make(alice, 'x', frozenset(Grant), 1)[1]}"})
    assert client.get(reverse("download", args=[job.pk, "txt"])).status_code == 200
    assert script.get(f"/api/v1/jobs/{job.pk}/download?format=srt").status_code == 200
    for _page in range(3):
        assert script.get(f"/api/v1/jobs/{job.pk}/transcript").status_code == 200
    details = ["txt", "srt", "pages"]
    assert written(Kind.DOWNLOADED) == [("downloaded", "alice", str(job.pk), detail) for detail in details]


@pytest.mark.django_db(transaction=True)
def test_listening_is_one_row_an_hour(client: Client, alice: User, make_job: Callable[..., Job]) -> None:
    job = make_job(alice)
    job.path.write_bytes(b"a recording")
    client.force_login(alice)
    for first in range(5):
        client.get(reverse("media", args=[job.pk]), headers={"Range": f"bytes={first}-"}).close()
    assert written(Kind.PLAYED) == [("played", "alice", str(job.pk), "")]


def test_what_others_may_not_see_is_not_a_download(client: Client, bob: User, alice: User, make_job: Any) -> None:
    job = make_job(alice, state="succeeded")
    client.force_login(bob)
    assert client.get(reverse("download", args=[job.pk, "txt"])).status_code == 404
    assert client.get(reverse("media", args=[job.pk])).status_code == 404
    assert written(Kind.DOWNLOADED, Kind.PLAYED) == []


def test_deletions_name_who_did_it(client: Client, alice: User, charlie: User, make_job: Any) -> None:
    mine, script, theirs = (make_job(alice) for _ in range(3))
    client.force_login(alice)
    client.post(reverse("delete", args=[mine.pk]))
    bearer = personal.make(alice, "x", frozenset(Grant), 1)[1]
    Client(headers={"Authorization": f"Bearer {bearer}"}).delete(f"/api/v1/jobs/{script.pk}")
    assert [row[1:3] for row in written(Kind.DELETED)] == [("alice", str(mine.pk)), ("alice", str(script.pk))]
    assert Job.objects.get() == theirs


@pytest.mark.django_db(transaction=True)
def test_uploads_and_where_they_came_from(server: Server, alice: User) -> None:
    """Over the real server, whose threads know the request, too."""
    answer = sign_in_at(server, alice).upload_file(b"a recording", name="secret.mp3")
    row = AuditEvent.objects.get(kind=Kind.UPLOADED)
    assert (row.name, row.about, row.address) == ("alice", str(Job.objects.get().pk), "127.0.0.1")
    assert row.request_id == answer.headers["x-request-id"]
    assert "secret" not in str(list(AuditEvent.objects.values()))
