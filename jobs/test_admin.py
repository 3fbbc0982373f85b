"""The administration: operators see facts, never what was said, and change things by the verbs alone."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from accounts.models import AuditEvent, User
from jobs.models import Checkpoint, Job, Run, RunEvent, Segment, Upload, Window, Worker
from jobs.services.options import Options
from jobs.speaking import speak
from jobs.states import RunState
from jobs.uploads import store

EVIDENCE: list[type[Any]] = [Job, Run, RunEvent, Window, Worker, Checkpoint, Upload]
SAID = "The harbour opens at nine."


@pytest.fixture
def operator(client: Client, charlie: User) -> Client:
    client.force_login(charlie)
    return client


@pytest.fixture
def staff(db: None) -> Callable[..., Client]:
    """staff("view_job", ...) -> the browser of somebody with these rights alone."""

    def make(*rights: str) -> Client:
        person = User.objects.create_user("dana", is_staff=True)
        person.user_permissions.set(Permission.objects.filter(content_type__app_label="jobs", codename__in=rights))
        browser = Client()
        browser.force_login(person)
        return browser

    return make


@pytest.fixture
def job(alice: User, make_job: Callable[..., Job]) -> Job:
    """With one row of every kind around it."""
    made = make_job(alice, state="succeeded", language="en", title="Very private.mp3")
    speak(made.current_run, [SAID])
    RunEvent.objects.create(run=made.runs.get(), state="succeeded", worker="box-7")
    now = timezone.now()
    Worker.objects.create(host="h", pid=1, model="demo", device="cpu", slots=2, seen_at=now)
    Checkpoint.objects.create(name="demo", sha256="0" * 64)
    upload(alice)
    return made


def upload(owner: User, length: int = 10) -> Upload:
    return Upload.objects.create(
        owner=owner, title="Very private.mp3", length=length, expires_at=timezone.now() + timedelta(hours=1)
    )


def address(model: type, page: str, *args: object) -> str:
    return reverse(f"admin:jobs_{model.__name__.lower()}_{page}", args=args)


def act(browser: Client, action: str, *rows: Any, **more: str) -> list[str]:
    """What the operator is told after an action on these rows."""
    chosen = {"action": action, "_selected_action": [str(row.pk) for row in rows], **more}
    answer = browser.post(address(type(rows[0]), "changelist"), chosen)
    return [str(message) for message in get_messages(answer.wsgi_request)]


@pytest.mark.parametrize("model", EVIDENCE)
def test_lists_and_rows_load(operator: Client, job: Job, model: type[Any]) -> None:
    row = model._default_manager.first()
    assert row is not None
    for query in ({}, {"q": str(job.pk)}, {"q": "nobody%_"}):
        assert operator.get(address(model, "changelist"), query).status_code == 200
    assert operator.get(address(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize("model", EVIDENCE)
def test_evidence_is_neither_added_nor_edited(operator: Client, job: Job, model: type[Any]) -> None:
    row = model._default_manager.first()
    assert row is not None
    before = model._default_manager.filter(pk=row.pk).values().get()
    forged = {"state": "failed", "title": "forged", "size": "1", "current_run": ""}
    assert operator.post(address(model, "add"), forged).status_code == 403
    assert operator.post(address(model, "change", row.pk), forged).status_code == 403
    assert model._default_manager.filter(pk=row.pk).values().get() == before


@pytest.mark.parametrize("model", [model for model in EVIDENCE if model is not Job])
def test_single_pieces_of_evidence_are_not_dropped(operator: Client, job: Job, model: type[Any]) -> None:
    row = model._default_manager.first()
    assert row is not None
    assert operator.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    act(operator, "delete_selected", row, post="yes")
    assert model._default_manager.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", EVIDENCE)
def test_staff_without_the_right_see_nothing(staff: Callable[..., Client], job: Job, model: type[Any]) -> None:
    browser = staff("view_checkpoint" if model is not Checkpoint else "view_worker")
    assert browser.get(address(model, "changelist")).status_code == 403
    assert browser.get(address(model, "change", model._default_manager.values_list("pk").first()[0])).status_code == 403
    index = browser.get("/admin/").content.decode()
    assert address(model, "changelist") not in index
    assert "overview" not in index


@pytest.mark.parametrize("action", ["run_again", "stop", "keep", "give_free", "delete_selected"])
def test_who_may_only_look_changes_nothing(staff: Callable[..., Client], job: Job, action: str) -> None:
    browser = staff("view_job")
    act(browser, action, job, post="yes")
    assert job.runs.count() == 1
    assert browser.post(address(Job, "delete", job.pk), {"post": "yes"}).status_code == 403
    assert job.path.exists()


def test_titles_are_for_those_with_the_right(staff: Callable[..., Client], operator: Client, job: Job) -> None:
    browser = staff("view_job", "view_upload", "change_job", "delete_job")
    pages = [address(Job, "changelist"), address(Job, "change", job.pk), address(Job, "delete", job.pk)]
    pages += [address(Upload, "changelist"), address(Upload, "change", Upload.objects.get().pk)]
    for page in pages:
        assert "private" not in browser.get(page).content.decode(), page
    assert str(job.pk) not in browser.get(address(Job, "changelist"), {"q": "private"}).content.decode()
    assert "Very private.mp3" in operator.get(address(Job, "change", job.pk)).content.decode()
    assert "Very private.mp3" in operator.get(address(Upload, "changelist")).content.decode()
    assert str(job.pk) in operator.get(address(Job, "changelist"), {"q": "private"}).content.decode()


def test_what_people_told_the_model_is_for_those_who_may_see_titles(
    staff: Callable[..., Client], operator: Client, job: Job
) -> None:
    told = Options("de", prompt="A private talk.", hot_words="Łódź", beam=5).as_json()
    Run.objects.update(options=told)
    Upload.objects.update(options=told)
    browser = staff("view_run", "view_upload")
    for page in (address(Run, "change", job.runs.get().pk), address(Upload, "change", Upload.objects.get().pk)):
        seen, hidden = operator.get(page).content.decode(), browser.get(page).content.decode()
        assert "A private talk." in seen
        assert "Łódź" in seen
        assert "private" not in hidden
        assert "Łódź" not in hidden
        assert "beam" in hidden


def test_pages_show_the_history_and_nobody_s_transcript(operator: Client, job: Job) -> None:
    with pytest.raises(NoReverseMatch):
        address(Segment, "changelist")
    for row in (job, job.runs.get(), job.runs.get().windows.get(), job.runs.get().events.get()):
        page = operator.get(address(type(row), "change", row.pk)).content.decode()
        assert SAID not in page
        assert "box-7" in page or type(row) is Window


def test_a_run_that_heard_a_part_again_says_which_and_of_what(operator: Client, job: Job) -> None:
    parent = job.runs.get()
    part = Run.objects.create(job=job, number=2, model="demo", parent=parent, span_start=62.0, span_end=100.0)
    for page in (address(Run, "changelist"), address(Run, "change", part.pk), address(Job, "change", job.pk)):
        assert "1:02 to 1:40" in operator.get(page).content.decode(), page
    assert (
        f'<a href="/admin/jobs/run/{parent.pk}/change/">'
        in operator.get(address(Run, "change", part.pk)).content.decode()
    )


def test_recordings_are_found_by_what_they_are(
    operator: Client, job: Job, bob: User, make_job: Callable[..., Job]
) -> None:
    other = make_job(bob, state="failed", reason="poison", detail="The engine ended twice.", language="de")
    for query, found in [
        ({"state": "failed"}, other), ({"state": "succeeded"}, job), ({"owner": "bob"}, other),
        ({"model": "demo"}, job), ({"language": "de"}, other), ({"q": str(other.pk)[:13]}, other),
        ({"q": "alice"}, job),
    ]:  # fmt: skip
        page = operator.get(address(Job, "changelist"), query).content.decode()
        assert address(Job, "change", found.pk) in page, query
        assert query == {"model": "demo"} or str((other if found is job else job).pk) not in page, query
    assert "The engine ended twice." in operator.get(address(Job, "changelist")).content.decode()


def test_run_again_queues_one_more_and_tells_of_those_it_cannot(
    staff: Callable[..., Client], job: Job, bob: User, make_job: Callable[..., Job]
) -> None:
    busy = make_job(bob, state="running")
    told = act(staff("view_job", "change_job"), "run_again", job, busy)
    assert told[0] == "1 done."
    assert told[1].startswith(f"{busy.pk}: This recording is being transcribed already.")
    job.refresh_from_db()
    assert job.current_run is not None
    assert (job.current_run.number, job.current_run.state) == (2, RunState.QUEUED)
    assert busy.runs.count() == 1
    assert LogEntry.objects.get().object_id == str(job.pk)


def test_cancel_stops_and_tells_of_what_had_ended(
    staff: Callable[..., Client], job: Job, bob: User, make_job: Callable[..., Job]
) -> None:
    waiting, busy = make_job(bob), make_job(bob, state="running")
    told = act(staff("view_job", "change_job"), "stop", job, waiting, busy)
    assert told == ["2 done.", f"{job.pk}: This transcription has ended already."]
    states = [Run.objects.get(job=each).state for each in (job, waiting, busy)]
    assert states == [RunState.SUCCEEDED, RunState.CANCELLED, RunState.CANCELLING]


def test_operators_keep_and_give_free(staff: Callable[..., Client], job: Job, settings: Any) -> None:
    settings.RETENTION_DAYS = 30
    browser = staff("view_job", "change_job")
    for action, kept in (("keep", True), ("keep", True), ("give_free", False)):
        assert act(browser, action, job)[-1] == "1 done."
        assert Job.objects.get().protected is kept
    noted = AuditEvent.objects.filter(kind__in=["kept", "given_free"]).order_by("pk").values_list("kind", "name")
    assert list(noted) == [("kept", "dana"), ("given_free", "dana")]
    page = browser.get(address(Job, "change", job.pk)).content.decode()
    assert "Deleted by itself" in page


def test_the_page_of_a_recording_acts_too(operator: Client, alice: User, make_job: Callable[..., Job]) -> None:
    job = make_job(alice)
    page = operator.get(address(Job, "change", job.pk)).content.decode()
    assert "CHANGE_FORM-action" in page
    form = {"CHANGE_FORM-action": "stop", "_selected_action": str(job.pk)}
    assert operator.post(address(Job, "change", job.pk), form).status_code == 302
    assert Run.objects.get().state == RunState.CANCELLED


@pytest.mark.parametrize("many", [False, True])
def test_deleting_says_what_goes_and_takes_it(
    staff: Callable[..., Client], job: Job, many: bool, django_capture_on_commit_callbacks: Any
) -> None:
    browser = staff("view_job", "delete_job")
    form = {"action": "delete_selected", "_selected_action": str(job.pk)} if many else {}
    page = address(Job, "changelist") if many else address(Job, "delete", job.pk)
    asked = (browser.post(page, form) if many else browser.get(page)).content.decode()
    assert "There is no way back." in asked
    assert f"{job.pk}: alice, 9 bytes" in asked
    assert job.path.exists()
    with django_capture_on_commit_callbacks(execute=True):
        browser.post(page, form | {"post": "yes"})
    assert not Job.objects.exists()
    assert not Segment.objects.exists()
    assert not job.folder.exists()


def test_too_many_at_once_are_none(
    operator: Client, job: Job, make_job: Callable[..., Job], alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.admin.base.AT_ONCE", 1)
    more = make_job(alice, state="succeeded")
    for action in ("run_again", "stop", "delete_selected"):
        told = act(operator, action, job, more, post="yes")
        assert set(told) == {"Choose at most 1 at once. Nothing was changed."}
    assert Run.objects.count() == 2


def test_an_upload_is_discarded_with_its_bytes(
    staff: Callable[..., Client], alice: User, media: Any, settings: Any
) -> None:
    settings.UPLOAD_LOCK_WAIT_SECONDS = 0
    left = store.begin(alice, "left.mp3", 10)
    left.append(b"12345")
    left.close()
    coming = store.begin(alice, "coming.mp3", 10)
    browser = staff("view_upload", "delete_upload")
    assert "5 bytes" in browser.get(address(Upload, "changelist")).content.decode()
    told = act(browser, "discard", left.upload, coming.upload)
    assert told[0] == "1 done."
    assert told[1].startswith(f"{coming.upload.pk}: This upload is being written by another connection.")
    assert (Upload.objects.get(), coming.upload.path.exists()) == (coming.upload, True)
    assert not left.upload.path.exists()
    coming.close()


def test_discarding_needs_its_right(staff: Callable[..., Client], alice: User) -> None:
    begun = upload(alice)
    act(staff("view_upload"), "discard", begun)
    assert Upload.objects.filter(pk=begun.pk).exists()


@pytest.mark.parametrize("model", [Job, Run, RunEvent, Upload, Worker])
def test_lists_ask_as_often_for_many_rows_as_for_one(
    operator: Client, job: Job, model: type[Any], make_job: Callable[..., Job]
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as found:
            assert operator.get(address(model, "changelist")).status_code == 200
        return len(found)

    few = queries()
    for number in range(20):
        person = User.objects.create_user(f"person{number}")
        RunEvent.objects.create(run=make_job(person).runs.get(), state="queued")
        upload(person)
        Worker.objects.create(host=f"h{number}", pid=1, model="x", device="cpu", slots=1, seen_at=timezone.now())
    assert queries() == few


def test_the_index_says_how_things_stand(
    operator: Client, job: Job, bob: User, make_job: Callable[..., Job], settings: Any, tmp_path: Any
) -> None:
    waiting = make_job(bob)
    Run.objects.filter(job=waiting).update(created_at=timezone.now() - timedelta(minutes=7))
    page = " ".join(operator.get("/admin/").content.decode().replace("\xa0", " ").split())
    assert '<dt>Queued</dt><dd><a href="/admin/jobs/job/?state=queued">1</a>' in page
    assert "<dt>Longest wait in the queue</dt><dd>7 minutes</dd>" in page
    assert "<dd>1 <small>2 slots</small></dd>" in page
    assert "<dt>Unfinished uploads</dt><dd>1</dd>" in page
    assert "<dt>Recordings on disk</dt><dd>18 bytes</dd>" in page
    settings.MEDIA_ROOT = tmp_path / "before" / "the first upload"
    assert "Free on disk" in page
    assert "Free on disk" in operator.get("/admin/").content.decode()


def test_a_person_with_recordings_is_not_deleted(operator: Client, job: Job, alice: User) -> None:
    operator.post(reverse("admin:accounts_user_delete", args=[alice.pk]), {"post": "yes"})
    assert User.objects.filter(pk=alice.pk).exists()
    assert job.folder.exists()


def test_it_speaks_german_and_bears_the_brand(operator: Client, job: Job) -> None:
    page = operator.get(address(Job, "changelist"), headers={"accept-language": "de"}).content.decode()
    for said in ("Aufnahmen", "Besitzer", "Fertig", "Mit ihren Dateien löschen", "Ursache", "Ausführen"):
        assert said in page
    assert '<a href="/admin/">Transcribe</a>' in page


def test_it_is_closed_to_others(client: Client, alice: User, db: None) -> None:
    assert client.get("/admin/", follow=True).redirect_chain[-1][0] == "/sign-in/?next=%2Fadmin%2F"
    client.force_login(alice)
    page = client.get("/admin/", follow=True)
    assert "may not open that page" in page.content.decode()
