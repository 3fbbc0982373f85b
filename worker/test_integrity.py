"""`manage.py check_integrity`, and what a real Temporal says of the runs under way."""

import asyncio
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from temporalio.client import Client

from accounts.models import User
from jobs.integrity.checks import look
from jobs.models import Job, Run, RunEvent
from worker import contract
from worker.integrity import Witness

MakeJob = Callable[..., Job]
committed = pytest.mark.django_db(transaction=True)
NOBODY = "127.0.0.1:1"


def check(*arguments: str) -> tuple[str, bool]:
    """What it prints, and whether it called all of it right."""
    out = StringIO()
    try:
        call_command("check_integrity", "--pause=0", *arguments, stdout=out)
    except CommandError:
        return out.getvalue(), False
    return out.getvalue(), True


def running(make_job: MakeJob, owner: User) -> Run:
    now = timezone.now()
    fields = {"state": "running", "stage": "preparing", "admitted_at": now, "started_at": now}
    job = make_job(owner, title="secret name.mp3", **fields)
    run = Run.objects.get(job=job)
    RunEvent.objects.create(run=run, state=run.state)
    return run


def start(address: str, name: str, run: Run) -> None:
    """A workflow that nobody works on."""

    async def ask() -> None:
        client = await Client.connect(address)
        given = contract.Start(run_id=str(run.pk), model="nobody", heartbeat_seconds=5, spans_at_once=1)
        await client.start_workflow(contract.WORKFLOW, given, id=name, task_queue="nobody polls this")
        query = f"WorkflowId = '{name}' AND ExecutionStatus = 'Running'"
        async with asyncio.timeout(30):
            while not (await client.count_workflows(query)).count:  # listed a moment after it began
                await asyncio.sleep(0.1)

    asyncio.run(ask())


def asked(address: str) -> set[tuple[str, UUID]]:
    """Faults as (code, id); workflows that other tests left open are among them."""
    with asyncio.Runner() as runner:
        faults = look(Witness(runner.run(Client.connect(address)), runner).rooms(), 0).faults
    return {(fault.check.code, key) for fault in faults for key in fault.ids}


@committed
def test_a_run_under_way_needs_its_open_workflow(temporal_address: str, alice: User, make_job: MakeJob) -> None:
    run = running(make_job, alice)
    assert ("workflow_gone", run.pk) in asked(temporal_address)
    start(temporal_address, run.workflow_id, run)
    assert run.pk not in {key for _, key in asked(temporal_address)}


@committed
def test_one_that_waits_or_is_being_cancelled_needs_none(temporal_address: str, alice: User, make_job: MakeJob) -> None:
    waits, goes = Run.objects.get(job=make_job(alice)), running(make_job, alice)
    Run.objects.filter(pk=goes.pk).update(state="cancelling")
    assert {waits.pk, goes.pk} & {key for _, key in asked(temporal_address)} == set()


@committed
def test_a_workflow_that_was_replaced_or_lost_its_run_is_left(
    temporal_address: str, alice: User, make_job: MakeJob
) -> None:
    run = running(make_job, alice)
    start(temporal_address, run.workflow_id, run)
    run.restarts = 1
    run.save(update_fields=["restarts"])
    start(temporal_address, run.workflow_id, run)
    assert {fault for fault in asked(temporal_address) if fault[1] == run.pk} == {("workflow_left", run.pk)}
    Job.objects.filter(pk=run.job_id).update(current_run=None)
    Job.objects.filter(pk=run.job_id).delete()
    assert ("workflow_left", run.pk) in asked(temporal_address)


@committed
def test_without_temporal_the_rest_is_compared_and_that_is_said(alice: User, make_job: MakeJob, settings: Any) -> None:
    run = running(make_job, alice)
    settings.TEMPORAL_ADDRESS = NOBODY
    for said, all_right in (check(), check("--no-temporal")):
        assert all_right
        assert "Looked at 1 recordings, 1 transcriptions" in said
        assert "was not compared" in said
        assert "All of it agrees." in said
    run.job.path.unlink()
    said, all_right = check()
    assert not all_right
    assert "file_missing (1 recordings)" in said
    assert str(run.job_id) in said
    assert "To mend it: " in said
    assert "secret name" not in said


@pytest.mark.django_db
def test_a_folder_that_cannot_be_read_is_named_without_a_trace(media: Path) -> None:
    media.mkdir()
    (media / "jobs").write_bytes(b"not a folder")
    said, all_right = check("--no-temporal")
    assert not all_right
    assert "unreadable (folders): The folder cannot be read" in said


@pytest.mark.django_db
def test_for_programs_every_fault_has_its_code_and_all_its_ids(alice: User, make_job: MakeJob) -> None:
    runs = [running(make_job, alice) for _ in range(30)]
    Run.objects.update(stage="")
    said, all_right = check("--no-temporal", "--json")
    assert not all_right
    answer = json.loads(said)
    assert answer["temporal"] == "not asked"
    assert answer["looked_at"]["transcriptions"] == 30
    [fault] = answer["faults"]
    assert (fault["code"], fault["about"]) == ("stage", "transcriptions")
    assert set(fault["ids"]) == {str(run.pk) for run in runs}
    assert "and 10 more" in check("--no-temporal")[0]


@pytest.mark.django_db
def test_only_a_deep_look_reads_the_recordings(alice: User, make_job: MakeJob) -> None:
    running(make_job, alice)  # its SHA-256 is made up
    assert check("--no-temporal")[1]
    assert "file_changed" in check("--no-temporal", "--deep")[0]
