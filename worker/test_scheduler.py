"""Rows against a real Temporal: what is admitted, cancelled and repaired; and that it may all be done twice."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, cast

import pytest
from django.db import connection
from django.utils import timezone
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from accounts.models import User
from jobs.models import Job, Run, Worker
from jobs.progress import NO_MODEL, progress_of
from jobs.services.cancel import cancel
from worker.scheduler import LOCK_KEY, Scheduler, _may_act, runs_to_admit, spans_at_once
from worker.wake import Wake

MakeJob = Callable[..., Job]


def a_worker(slots: int = 1, model: str = "demo", **fields: Any) -> Worker:
    fields.setdefault("seen_at", timezone.now())
    return Worker.objects.create(host="box", pid=1, model=model, device="cpu", slots=slots, **fields)


def run_of(job: Job) -> Run:
    return Run.objects.get(job=job)


def test_nothing_is_admitted_without_a_live_worker(alice: User, make_job: MakeJob) -> None:
    make_job(alice)
    assert runs_to_admit() == []
    a_worker(seen_at=timezone.now() - timedelta(minutes=1))
    a_worker(model="other")
    assert runs_to_admit() == []


def test_two_runs_for_each_slot_are_under_way(alice: User, make_job: MakeJob) -> None:
    a_worker(slots=2)
    jobs = [make_job(alice) for _ in range(6)]
    make_job(alice, state="running", admitted_at=timezone.now())
    make_job(alice, state="succeeded", admitted_at=timezone.now())
    assert [run.job for run in runs_to_admit()] == jobs[:3]


def test_a_stranger_with_one_recording_is_next_after_a_thousand_of_another(
    alice: User, bob: User, make_job: MakeJob
) -> None:
    a_worker(slots=1)
    make_job(alice, state="running", admitted_at=timezone.now())
    jobs = Job.objects.bulk_create(Job(owner=alice, title="one of many", size=1) for _ in range(1000))
    Run.objects.bulk_create(Run(job=job, number=1, model="demo") for job in jobs)
    late = run_of(make_job(bob))
    assert runs_to_admit() == [late]
    progress = progress_of([late], timezone.now())[late.pk]
    assert progress.place == 1


def test_pages_show_the_order_in_which_runs_are_admitted(alice: User, bob: User, make_job: MakeJob) -> None:
    a_worker(slots=1)
    waiting = [run_of(make_job(owner)) for owner in (alice, alice, alice, bob, bob)]
    admitted: list[Run] = []
    while len(admitted) < len(waiting):
        found = progress_of(Run.objects.filter(state="queued"), timezone.now())
        for run in runs_to_admit():
            assert found[run.pk].place == len(admitted) % 2 + 1 if len(admitted) < 2 else found[run.pk].place == 1
            Run.objects.filter(pk=run.pk).update(state="running", admitted_at=timezone.now())
            admitted.append(run)
        first = Run.objects.filter(state="running").order_by("admitted_at")[:1].get()
        Run.objects.filter(pk=first.pk).update(state="succeeded")
    assert sorted(run.pk for run in admitted) == sorted(run.pk for run in waiting)


def test_a_run_keeps_the_model_it_was_submitted_for(alice: User, make_job: MakeJob, settings: Any) -> None:
    """A worker that comes back with another default model leaves it alone; its page says what it waits for."""
    run = run_of(make_job(alice))
    settings.MODEL_NAME = "new"
    a_worker(model="new")
    assert runs_to_admit() == []
    run.refresh_from_db()
    assert (run.model, progress_of([run], timezone.now())[run.pk].place) == ("demo", NO_MODEL)
    a_worker(model="demo")
    assert runs_to_admit() == [run]


def test_runs_of_a_model_that_nobody_offers_any_more_do_not_hold_up_the_others(alice: User, make_job: MakeJob) -> None:
    for _ in range(4):
        make_job(alice, state="running", admitted_at=timezone.now())
    a_worker(slots=1, model="new")
    waiting = [make_job(alice) for _ in range(4)]
    Run.objects.filter(job__in=waiting[1:]).update(model="new")
    assert [run.job for run in runs_to_admit()] == waiting[1:3]


def test_each_model_fills_its_own_slots(alice: User, bob: User, make_job: MakeJob) -> None:
    a_worker(slots=1)
    a_worker(slots=1, model="other")
    mine = [make_job(alice) for _ in range(4)]
    late = make_job(bob)
    Run.objects.filter(job=late).update(model="other")
    assert {run.job for run in runs_to_admit()} == {*mine[:2], late}


def test_a_full_disk_admits_nothing(alice: User, make_job: MakeJob, settings: Any) -> None:
    a_worker()
    make_job(alice)
    settings.DISK_RESERVE_BYTES = 1 << 60
    assert runs_to_admit() == []


@pytest.mark.parametrize(("speeds", "spans"), [((), 2), ((17.0,), 2), ((400.0,), 3), ((400.0, 17.0), 2)])
@pytest.mark.django_db
def test_where_spans_take_seconds_one_more_is_held(speeds: tuple[float, ...], spans: int) -> None:
    for speed in speeds:
        a_worker(speed=speed)
    assert spans_at_once("demo", 2) == spans


class Drive:
    """A scheduler driven by hand from a synchronous test, each call with a client and a session of its own."""

    def __init__(self, address: str, namespace: str = "default") -> None:
        self.address, self.namespace = address, namespace

    def tick(self) -> None:
        self._run(Scheduler.tick)

    def cancel(self) -> None:
        self._run(Scheduler._cancel)

    def repair(self) -> None:
        self._run(Scheduler._repair)

    def status(self, run: Run) -> WorkflowExecutionStatus | None:
        async def ask() -> WorkflowExecutionStatus | None:
            client = await Client.connect(self.address)
            return (await client.get_workflow_handle(run.workflow_id).describe()).status

        return asyncio.run(ask())

    def terminate(self, run: Run) -> None:
        async def ask() -> None:
            client = await Client.connect(self.address)
            await client.get_workflow_handle(run.workflow_id).terminate()

        asyncio.run(ask())

    def _run(self, step: Callable[[Scheduler], Awaitable[None]]) -> None:
        async def drive() -> None:
            scheduler = Scheduler(await Client.connect(self.address, namespace=self.namespace, lazy=True))
            try:
                await step(scheduler)
            finally:
                await scheduler.close()

        asyncio.run(drive())


committed = pytest.mark.django_db(transaction=True)  # the scheduler's session sees committed rows only
NOBODY = "127.0.0.1:1"


@committed
def test_a_queued_run_is_started_once(temporal_address: str, alice: User, make_job: MakeJob) -> None:
    a_worker()
    run = run_of(make_job(alice))
    drive = Drive(temporal_address)
    drive.tick()
    assert run_of(run.job).admitted_at is not None
    Run.objects.filter(pk=run.pk).update(admitted_at=None)  # as if it had died before saying so
    drive.tick()
    assert run_of(run.job).admitted_at is not None
    assert drive.status(run) == WorkflowExecutionStatus.RUNNING


@committed
def test_a_run_stays_queued_while_temporal_is_away(alice: User, make_job: MakeJob) -> None:
    a_worker()
    run = run_of(make_job(alice))
    with pytest.raises((RPCError, RuntimeError)):
        Drive(NOBODY).tick()
    assert (run_of(run.job).state, run_of(run.job).admitted_at) == ("queued", None)


@committed
def test_a_cancel_ends_without_temporal_once_no_worker_holds_the_run(alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, state="running", admitted_at=timezone.now())
    holder = a_worker(runs=[str(run_of(job).pk)])
    cancel(job)
    Drive(NOBODY).cancel()
    assert run_of(job).state == "cancelling"
    Worker.objects.filter(pk=holder.pk).update(runs=[])
    Drive(NOBODY).cancel()
    assert run_of(job).state == "cancelled"


@committed
def test_a_lost_workflow_is_started_again_once_then_the_run_fails(
    temporal_address: str, alice: User, make_job: MakeJob
) -> None:
    job = make_job(alice, state="running", admitted_at=timezone.now())
    drive = Drive(temporal_address)
    drive.repair()
    assert (run_of(job).state, run_of(job).restarts) == ("running", 1)
    drive.repair()  # it is open now: nothing to mend
    assert run_of(job).restarts == 1
    drive.terminate(run_of(job))
    drive.repair()
    assert (run_of(job).state, run_of(job).reason) == ("failed", "lost")


@committed
@pytest.mark.parametrize("restarts", [0, 1])
def test_a_server_that_does_not_know_its_namespace_yet_has_lost_nothing(
    temporal_address: str, alice: User, make_job: MakeJob, restarts: int
) -> None:
    job = make_job(alice, state="running", admitted_at=timezone.now(), restarts=restarts)
    with pytest.raises(RPCError):
        Drive(temporal_address, namespace="not-there-yet").repair()
    assert (run_of(job).state, run_of(job).restarts) == ("running", restarts)


class Told:
    """Temporal as a scheduler sees it that is told something: which workflow was signalled what."""

    def __init__(self) -> None:
        self.signals: list[tuple[str, str, int]] = []
        self.refused: RPCStatusCode | None = None

    def get_workflow_handle(self, name: str) -> Any:
        told = self

        class Handle:
            async def signal(self, signal: str, count: int, **_: Any) -> None:
                if told.refused is not None:
                    raise RPCError("no", told.refused, b"")
                told.signals.append((name, signal, count))

        return Handle()


@committed
def test_runs_under_way_are_told_when_slots_come_and_go(alice: User, make_job: MakeJob) -> None:
    run = run_of(make_job(alice, state="running", admitted_at=timezone.now()))
    make_job(alice)
    other = run_of(make_job(alice, state="running", admitted_at=timezone.now()))
    Run.objects.filter(pk=other.pk).update(model="other")
    a_worker(slots=1)
    told = Told()

    async def drive() -> None:
        scheduler = Scheduler(cast(Client, told))
        await scheduler._tell_slots()
        await scheduler._tell_slots()  # nothing has changed
        late = await scheduler._in_thread(a_worker, 3)
        told.refused = RPCStatusCode.UNAVAILABLE
        with pytest.raises(RPCError):
            await scheduler._tell_slots()
        told.refused = None
        await scheduler._tell_slots()
        await scheduler._in_thread(late.delete)
        told.refused = RPCStatusCode.NOT_FOUND  # the workflow has ended
        await scheduler._tell_slots()
        await scheduler.close()

    asyncio.run(drive())
    assert told.signals == [(run.workflow_id, "slots", 1), (run.workflow_id, "slots", 4)]


class Away:
    """Temporal as a scheduler sees it that knows of no workflow, and cannot start or cancel one either."""

    def get_workflow_handle(self, _: str) -> "Away":
        return self

    async def describe(self, **_: Any) -> None:
        raise RPCError("workflow not found", RPCStatusCode.NOT_FOUND, b"")

    async def start_workflow(self, *_: Any, **__: Any) -> None:
        raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")

    async def cancel(self, **_: Any) -> None:
        raise ZeroDivisionError


def away(step: Callable[[Scheduler], Awaitable[None]]) -> None:
    async def drive() -> None:
        scheduler = Scheduler(cast(Client, Away()))
        try:
            await step(scheduler)
        finally:
            await scheduler.close()

    asyncio.run(drive())


@committed
def test_a_second_chance_that_could_not_be_given_is_not_used_up(alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, state="running", admitted_at=timezone.now())
    for _ in range(3):
        with pytest.raises(RPCError):
            away(Scheduler._repair)
    assert (run_of(job).state, run_of(job).restarts) == ("running", 0)


@committed
def test_all_rows_are_cancelled_before_temporal_is_told_of_one(alice: User, make_job: MakeJob) -> None:
    jobs = [make_job(alice, state="cancelling", admitted_at=timezone.now()) for _ in range(2)]
    with pytest.raises(ZeroDivisionError):
        away(Scheduler._cancel)
    assert [run_of(job).state for job in jobs] == ["cancelled"] * 2


@committed
def test_only_one_process_acts(temporal_address: str, alice: User, make_job: MakeJob) -> None:
    a_worker()
    job = make_job(alice)
    with connection.cursor() as cursor:  # this session stands for the other process
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK_KEY])
        Drive(temporal_address).tick()
        assert run_of(job).admitted_at is None
        cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK_KEY])
    Drive(temporal_address).tick()
    assert run_of(job).admitted_at is not None


@committed
def test_postgres_looks_after_the_session_that_holds_the_lock() -> None:
    """Over TCP the other end is asked for signs of life; here, over a Unix socket, it is only told to."""
    with connection.cursor() as cursor:
        assert _may_act()
        cursor.execute(
            "SELECT name FROM pg_settings WHERE name ~ '^(tcp_|idle_session)' AND source = 'session' ORDER BY name"
        )
        told = [name for (name,) in cursor.fetchall()]
        cursor.execute("SELECT pg_advisory_unlock_all()")
    connection.close()
    assert told == [
        "idle_session_timeout",
        "tcp_keepalives_count",
        "tcp_keepalives_idle",
        "tcp_keepalives_interval",
        "tcp_user_timeout",
    ]


@committed
def test_recordings_whose_time_is_over_go_a_slice_each_look(
    alice: User, make_job: MakeJob, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a great many of them hold up nothing else; also without a Temporal."""
    settings.RETENTION_DAYS = 30
    monkeypatch.setattr("jobs.services.retention.AT_ONCE", 2)
    for days in (29, 31, 31, 31):
        make_job(alice, state="succeeded", finished_at=timezone.now() - timedelta(days=days))
    left = []

    async def look(scheduler: Scheduler) -> None:
        for _ in range(3):
            await scheduler.tick()
            left.append(await asyncio.to_thread(_jobs_there))

    Drive(NOBODY)._run(look)
    assert left == [2, 1, 1]


def _jobs_there() -> int:
    count = Job.objects.count()
    connection.close()
    return count


@committed
def test_told_to_stop_it_finishes_its_look_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []

    async def drive() -> None:
        looking, go_on, wake = asyncio.Event(), asyncio.Event(), Wake()
        scheduler = Scheduler(cast(Client, Away()))

        async def tick() -> None:
            looking.set()
            await go_on.wait()
            looks.append("whole")

        monkeypatch.setattr(scheduler, "tick", tick)
        running = asyncio.create_task(scheduler.run(wake))
        await looking.wait()
        scheduler.stop()
        wake.ring()
        go_on.set()
        await asyncio.wait_for(running, 5)
        await scheduler.close()

    asyncio.run(drive())
    assert looks == ["whole"]
