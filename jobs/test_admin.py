"""The administration: operators see everything and change next to nothing."""

from collections.abc import Callable

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from jobs.models import Checkpoint, Job, Run, RunEvent, Segment, Upload, Window, Worker
from jobs.speaking import speak

EVIDENCE = [Run, RunEvent, Window, Segment, Worker, Checkpoint, Upload]


@pytest.fixture
def operator(client: Client, charlie: User) -> Client:
    client.force_login(charlie)
    return client


@pytest.fixture
def job(alice: User, make_job: Callable[..., Job]) -> Job:
    """With one row of every kind around it."""
    made = make_job(alice, state="succeeded")
    speak(made.current_run, ["Hello."])
    RunEvent.objects.create(run=made.runs.get(), state="succeeded")
    now = timezone.now()
    Worker.objects.create(host="h", pid=1, model="demo", device="cpu", slots=1, seen_at=now)
    Checkpoint.objects.create(name="demo", sha256="0" * 64)
    Upload.objects.create(owner=alice, title="x", expires_at=now)
    return made


def address(model: type, page: str, *args: object) -> str:
    return reverse(f"admin:jobs_{model.__name__.lower()}_{page}", args=args)


@pytest.mark.parametrize("model", [Job, *EVIDENCE])
def test_lists_and_rows_load(operator: Client, job: Job, model: type[Job]) -> None:
    row = model._default_manager.first()
    assert row is not None
    searched = operator.get(address(model, "changelist"), {"q": str(job.pk)})
    assert searched.status_code == 200
    assert operator.get(address(model, "changelist")).status_code == 200
    assert operator.get(address(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize("model", EVIDENCE)
def test_evidence_is_neither_added_nor_edited_nor_dropped(operator: Client, job: Job, model: type[Job]) -> None:
    row = model._default_manager.first()
    assert row is not None
    before = model._default_manager.filter(pk=row.pk).values().get()
    assert operator.post(address(model, "add"), {"state": "failed"}).status_code == 403
    assert operator.post(address(model, "change", row.pk), {"state": "failed", "text": "forged"}).status_code == 403
    assert operator.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    operator.post(
        address(model, "changelist"), {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"}
    )
    assert model._default_manager.filter(pk=row.pk).values().get() == before


def test_of_a_recording_only_the_title_can_be_changed(operator: Client, job: Job) -> None:
    form = {"title": "renamed.mp3", "size": "1", "owner": "999", "sha256": "f" * 64, "current_run": ""}
    assert operator.post(address(Job, "change", job.pk), form).status_code == 302
    found = Job.objects.get()
    assert found.title == "renamed.mp3"
    assert (found.size, found.owner, found.sha256, found.current_run) == (
        job.size,
        job.owner,
        job.sha256,
        job.current_run,
    )
    assert operator.get(address(Job, "add")).status_code == 403


@pytest.mark.parametrize("many", [False, True])
def test_deleting_a_recording_takes_its_file_and_evidence_along(operator: Client, job: Job, many: bool) -> None:
    if many:
        form = {"action": "delete_selected", "_selected_action": str(job.pk), "post": "yes"}
        operator.post(address(Job, "changelist"), form)
    else:
        operator.post(address(Job, "delete", job.pk), {"post": "yes"})
    assert not Job.objects.exists()
    assert not Segment.objects.exists()
    assert not job.folder.exists()


def test_a_person_with_recordings_is_not_deleted(operator: Client, job: Job, alice: User) -> None:
    operator.post(reverse("admin:accounts_user_delete", args=[alice.pk]), {"post": "yes"})
    assert User.objects.filter(pk=alice.pk).exists()
    assert job.folder.exists()


def test_people_are_listed_and_found(operator: Client, alice: User) -> None:
    found = operator.get(reverse("admin:accounts_user_changelist"), {"q": "alic"}).content.decode()
    assert "alice" in found
    assert operator.get(reverse("admin:accounts_user_change", args=[alice.pk])).status_code == 200


def test_it_is_closed_to_others(client: Client, alice: User, db: None) -> None:
    assert client.get("/admin/", follow=True).redirect_chain[-1][0] == "/sign-in/?next=%2Fadmin%2F"
    client.force_login(alice)
    page = client.get("/admin/", follow=True)
    assert "may not open that page" in page.content.decode()
    assert admin.site.site_header == "Transcribe"
