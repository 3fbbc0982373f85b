"""Cancel, finish, fail, run again and delete: each from every state that matters, twice where clicks double."""

from collections.abc import Callable

import pytest

from accounts.models import User
from jobs.errors import Conflict
from jobs.models import Job, Run
from jobs.services.admit import admit, restart
from jobs.services.begin import begin, enter_stage
from jobs.services.cancel import cancel, finish_cancel
from jobs.services.delete import delete
from jobs.services.finish import fail, finish
from jobs.services.options import Options
from jobs.services.plan import PlannedWindow, store_plan
from jobs.services.retry import retry
from jobs.services.windows import commit_windows

MakeJob = Callable[..., Job]


def run_of(job: Job) -> Run:
    run = Job.objects.select_related("current_run").get(pk=job.pk).current_run
    assert run is not None
    return run


def test_cancel_is_final_at_once_for_a_queued_run(alice: User, make_job: MakeJob) -> None:
    job = make_job(alice)
    cancel(job)
    cancel(job)
    assert run_of(job).state == "cancelled"


def test_cancel_asks_a_running_run_to_stop_and_keeps_its_text(alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, state="running")
    run = run_of(job)
    store_plan(run.pk, duration=9, windows=[PlannedWindow(start=0, end=9, span=0, batch=0)], warnings=[])
    commit_windows(run.pk, {0: []})
    run.samples_path.write_bytes(b"samples")
    cancel(job)
    assert run_of(job).state == "cancelling"
    assert finish_cancel(run.pk)
    assert not finish_cancel(run.pk)
    assert run_of(job).state == "cancelled"
    assert run.windows.exclude(done_at=None).count() == 1
    assert not run.samples_path.exists()
    assert job.path.exists()


def test_a_second_click_on_cancel_does_not_overtake_the_worker(alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, state="running")
    cancel(job)
    cancel(job)
    assert run_of(job).state == "cancelling"


def test_cancel_of_a_recording_deleted_meanwhile_is_quiet(alice: User, make_job: MakeJob) -> None:
    stale = Job.objects.select_related("current_run").get(pk=make_job(alice, state="running").pk)
    delete(Job.objects.get(pk=stale.pk))
    cancel(stale)
    delete(stale)
    assert not Job.objects.exists()


@pytest.mark.parametrize("state", ["succeeded", "failed"])
def test_cancel_of_an_ended_run_is_a_conflict(alice: User, make_job: MakeJob, state: str) -> None:
    job = make_job(alice, state=state)
    with pytest.raises(Conflict):
        cancel(job)
    assert run_of(job).state == state


def test_begin_wins_once_and_lets_a_retry_in(alice: User, make_job: MakeJob) -> None:
    run = run_of(make_job(alice))
    assert begin(run.pk, attempt=1, worker="box:1")
    assert begin(run.pk, attempt=2, worker="box:2")
    assert list(run.events.values_list("state", "stage", "attempt", "worker")) == [
        ("running", "preparing", 1, "box:1"),
        ("running", "preparing", 2, "box:2"),
    ]


@pytest.mark.parametrize("state", ["cancelling", "cancelled", "failed", "succeeded"])
def test_nothing_begins_in_a_run_that_should_stop(alice: User, make_job: MakeJob, state: str) -> None:
    run = run_of(make_job(alice, state=state))
    assert not begin(run.pk, attempt=1, worker="box:1")
    assert not enter_stage(run.pk, "transcribing", attempt=1, worker="box:1")


def test_finish_waits_for_every_window(alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, state="running")
    run = run_of(job)
    store_plan(run.pk, duration=9, windows=[PlannedWindow(start=0, end=9, span=0, batch=0)], warnings=[])
    assert not finish(run.pk, attempt=1, worker="box:1")
    commit_windows(run.pk, {0: []})
    assert finish(run.pk, attempt=1, worker="box:1")
    assert finish(run.pk, attempt=2, worker="box:1")
    assert run_of(job).state == "succeeded"
    assert run.events.filter(state="succeeded").count() == 1


def test_a_cancelled_run_does_not_finish(alice: User, make_job: MakeJob) -> None:
    run = run_of(make_job(alice, state="cancelling"))
    assert not finish(run.pk, attempt=1, worker="box:1")


def test_refused_media_is_not_kept_but_its_reason_is(alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, state="running")
    assert fail(run_of(job).pk, reason="not_media", detail="This file is not a recording.")
    run = run_of(job)
    assert (run.state, run.reason, run.detail) == ("failed", "not_media", "This file is not a recording.")
    assert not job.folder.exists()


def test_a_failure_of_ours_keeps_the_recording(alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, state="running")
    fail(run_of(job).pk, reason="poison", detail="It crashed twice.")
    assert job.path.exists()


def test_run_again_keeps_the_options_and_the_old_run(alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, state="failed", options={"language": "de"})
    old = run_of(job)
    new = retry(job)
    assert (new.number, new.options, new.state) == (
        2,
        Options("de").as_json(),
        "queued",
    )
    assert run_of(job) == new
    assert job.runs.count() == 2
    assert retry_again_is_refused(job)
    assert Run.objects.get(pk=old.pk).state == "failed"


def retry_again_is_refused(job: Job) -> bool:
    with pytest.raises(Conflict):
        retry(job)
    return job.runs.count() == 2


def test_run_again_with_other_options(alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, state="succeeded", options={"language": "de"})
    assert retry(job, Options(language="en")).options["language"] == "en"


def test_run_again_needs_the_recording(alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, state="failed")
    job.path.unlink()
    with pytest.raises(Conflict):
        retry(job)


@pytest.mark.parametrize("state", ["queued", "running", "succeeded", "failed", "cancelled", "cancelling"])
def test_delete_leaves_nothing(alice: User, make_job: MakeJob, state: str) -> None:
    job = make_job(alice, state=state)
    run = run_of(job)
    delete(job)
    assert not Job.objects.exists()
    assert not Run.objects.exists()
    assert not job.folder.exists()
    assert not commit_windows(run.pk, {0: []})


def test_a_lost_workflow_is_restarted_once(alice: User, make_job: MakeJob) -> None:
    run = run_of(make_job(alice, state="running"))
    first = run.workflow_id
    assert restart(run.pk, "workflow_lost")
    assert run_of(run.job).workflow_id == f"{first}-1"
    assert not restart(run.pk, "workflow_lost")


def test_admission_is_won_once(alice: User, make_job: MakeJob) -> None:
    run = run_of(make_job(alice))
    assert admit(run.pk)
    assert not admit(run.pk)
