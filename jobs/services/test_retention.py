"""What RETENTION_DAYS deletes, and all that it leaves alone."""

import threading
from collections.abc import Callable
from datetime import UTC, date, timedelta
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from accounts.audit import Kind
from accounts.models import AuditEvent, User
from jobs.failpoints import Action, Point, Reached, arm
from jobs.hearing import hear
from jobs.models import Job, Run
from jobs.services.begin import begin
from jobs.services.cancel import cancel
from jobs.services.delete import delete_by_itself
from jobs.services.finish import fail
from jobs.services.keep import give_free, keep
from jobs.services.part import hear_part
from jobs.services.retention import Deleted, Tally, delete_due, deleted_at, deleted_soon, due, forecast
from jobs.services.retry import retry
from jobs.services.sweep import ORPHAN_AGE, sweep
from transcribe.testing import wait_for_a_lock

pytestmark = pytest.mark.django_db
MakeJob = Callable[..., Job]
MONTH = 30


@pytest.fixture(autouse=True)
def a_month(settings: Any) -> None:
    settings.RETENTION_DAYS = MONTH


@pytest.fixture
def old(alice: User, make_job: MakeJob) -> Callable[..., Job]:
    """old(days, **fields): a recording whose last run ended so many days ago."""

    def make(days: float = MONTH + 1, **fields: Any) -> Job:
        ended = timezone.now() - timedelta(days=days)
        return make_job(alice, **{"state": "succeeded", "finished_at": ended, **fields})

    return make


def written(*kinds: Kind) -> list[tuple[str, str, str, str]]:
    rows = AuditEvent.objects.filter(kind__in=kinds).order_by("pk")
    return [(row.kind, row.name, row.about, row.detail) for row in rows]


def test_what_is_due_goes_with_its_files_and_is_told_of_once(old: Callable[..., Job]) -> None:
    gone, stays = old(), old(MONTH - 1)
    assert delete_due() == Deleted(1, 9, more=False)
    assert delete_due() == Deleted(0, 0, more=False)
    assert list(Job.objects.all()) == [stays]
    assert (gone.folder.exists(), stays.path.exists()) == (False, True)
    assert written(Kind.DELETED, Kind.RETENTION) == [
        ("deleted", "", str(gone.pk), "retention"),
        ("retention", "", "30 days", "1 recordings, 9 bytes"),
    ]


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
def test_every_end_counts(old: Callable[..., Job], state: str) -> None:
    old(state=state)
    assert delete_due().recordings == 1


def test_for_ever_is_the_default(old: Callable[..., Job], settings: Any) -> None:
    job = old(4000)
    settings.RETENTION_DAYS = 0
    assert delete_due() == Deleted(0, 0, more=False)
    assert deleted_at(job) is None


@pytest.mark.parametrize("state", ["queued", "running", "cancelling"])
def test_an_open_run_protects_also_where_the_row_forgot_to_say_so(old: Callable[..., Job], state: str) -> None:
    job = old()
    Run.objects.create(job=job, number=2, model="demo", state=state)
    assert delete_due().recordings == 0
    assert not delete_by_itself(job, Job.objects.all(), "retention")  # begun after the list of what is due was made
    assert job.path.exists()


def test_what_is_kept_stays_and_given_free_its_days_begin_anew(old: Callable[..., Job], alice: User) -> None:
    job = old()
    for _click in range(2):
        keep(job, alice)
    assert delete_due().recordings == 0
    for _click in range(2):
        give_free(job, alice)
    assert delete_due().recordings == 0
    about = str(job.pk)
    assert written(Kind.KEPT, Kind.GIVEN_FREE) == [("kept", "alice", about, ""), ("given_free", "alice", about, "")]
    job.refresh_from_db()
    at = deleted_at(job)
    assert at is not None
    assert abs(at - timezone.now() - timedelta(days=MONTH)) < timedelta(minutes=1)


def test_given_free_under_way_it_is_not_at_rest(alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, state="running", started_at=timezone.now())
    keep(job, alice)
    give_free(job, alice)
    job.refresh_from_db()
    assert (job.protected, job.idle_since, deleted_at(job)) == (False, None, None)


def test_every_move_says_whether_it_is_at_rest(old: Callable[..., Job], alice: User, make_job: MakeJob) -> None:
    def rests(job: Job) -> bool:
        job.refresh_from_db()
        return job.idle_since is not None

    job = old()
    again = retry(job)
    assert not rests(job)
    begin(again.pk, attempt=1, worker="test")
    assert not rests(job)
    hear(again)
    assert rests(job)
    part = hear_part(job, 1, 2)
    assert not rests(job)
    fail(part.pk, reason="lost", detail="It was lost.")
    assert rests(job)
    waiting = make_job(alice)
    assert not rests(waiting)
    cancel(waiting)
    assert rests(waiting)


def test_a_crash_before_the_files_leaves_a_folder_that_the_sweep_removes(
    old: Callable[..., Job], settings: Any, tmp_path: Path
) -> None:
    job, next_one = old(), old()
    settings.FAILPOINTS = str(tmp_path / "points")
    arm(tmp_path / "points", Point.DELETED_LEFT, action=Action.RAISE)
    with pytest.raises(Reached):
        delete_due()
    first, second = sorted((job, next_one), key=lambda one: one.idle_since or timezone.now())
    assert list(Job.objects.all()) == [second]  # never a row without its file
    assert first.path.exists()
    assert second.path.exists()
    assert delete_due().recordings == 1
    sweep(timezone.now() + ORPHAN_AGE + timedelta(minutes=1))
    assert not first.folder.exists()


@pytest.mark.django_db(transaction=True)
def test_who_keeps_it_at_the_same_moment_comes_first(old: Callable[..., Job], alice: User) -> None:
    job, results = old(), []

    def delete() -> None:
        results.append(delete_due())
        connection.close()

    with transaction.atomic():
        keep(job, alice)
        thread = threading.Thread(target=delete)
        thread.start()
        wait_for_a_lock()
    thread.join(20)
    assert results == [Deleted(0, 0, more=False)]
    assert job.path.exists()


def test_a_slice_ends_and_the_next_one_goes_on(old: Callable[..., Job]) -> None:
    for _ in range(3):
        old()
    assert [delete_due(seconds=0) for _ in range(4)] == [
        Deleted(1, 9, more=True),
        Deleted(1, 9, more=True),
        Deleted(1, 9, more=False),
        Deleted(0, 0, more=False),
    ]


def test_what_is_due_is_found_by_an_index_however_many_are_kept(alice: User) -> None:
    then = timezone.now() - timedelta(days=MONTH + 1)
    rows = (
        Job(owner=alice, title="x", size=1, idle_since=then + timedelta(seconds=n), protected=n % 100 > 0)
        for n in range(20_000)
    )
    Job.objects.bulk_create(rows, batch_size=5000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_job")
    plan = due(timezone.now(), MONTH)[:1000].explain(analyze=True)
    assert "jobs_job_not_kept" in plan
    assert "Seq Scan on jobs_job" not in plan
    assert "Sort" not in plan


def test_lists_are_told_only_of_what_is_near(old: Callable[..., Job]) -> None:
    assert deleted_soon(old(MONTH - 8)) is None
    assert deleted_soon(old(MONTH - 6)) is not None
    assert deleted_soon(old(MONTH - 6, state="running")) is None


def test_the_forecast_counts_by_day(old: Callable[..., Job], alice: User) -> None:
    now = timezone.now()
    overdue, today, later, kept = old(MONTH + 9), old(MONTH), old(MONTH - 3), old(MONTH + 9)
    keep(kept, alice)
    old(state="running")
    Job.objects.filter(pk=later.pk).update(size=1000)
    day = now.astimezone(UTC).date()
    assert forecast(MONTH, now) == [Tally(None, 1, 9), Tally(day, 2, 18), Tally(day + timedelta(days=3), 1, 1000)]
    assert Job.objects.filter(pk__in=[overdue.pk, today.pk]).count() == 2


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("retention", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_says_what_goes_when_without_a_title(old: Callable[..., Job], settings: Any) -> None:
    job = old(title="A secret talk.mp3")
    settings.RETENTION_DAYS = 0
    said = command("--dry-run", "--days", "400")
    goes = date.fromordinal((job.idle_since or timezone.now()).astimezone(UTC).toordinal() + 400)
    assert f"  {goes}           1   9 bytes\n" in said
    assert "Kept: 0 recordings, 0 bytes." in said
    assert "secret" not in said
    assert job.path.exists()
    for wrong in (["--dry-run"], [], ["--days", "3"], ["--dry-run", "--days", "0"]):
        with pytest.raises(CommandError):
            command(*wrong)


def test_the_command_deletes_all_that_is_due(old: Callable[..., Job], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.services.retention.AT_ONCE", 2)
    for _ in range(4):
        old()
    assert command() == "Deleted: 4 recordings, 36 bytes.\n"
    assert not Job.objects.exists()


def test_recordings_from_before_have_rested_since_their_last_run(old: Callable[..., Job]) -> None:
    resting, going = old(), old(state="running")
    ended = Run.objects.create(job=resting, number=2, model="demo", state="failed", finished_at=timezone.now())
    Job.objects.update(idle_since=None)
    import_module("jobs.migrations.0007_retention").say_since_when(apps, None)
    assert Job.objects.get(pk=resting.pk).idle_since == ended.finished_at
    assert Job.objects.get(pk=going.pk).idle_since is None
