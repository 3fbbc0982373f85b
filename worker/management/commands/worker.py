"""`manage.py worker`: the Temporal worker. A second one on the same stack shares the work."""

import asyncio
import logging
import os
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from temporalio.client import Client
from temporalio.worker import Worker, WorkerTuner

from jobs.errors import JobError
from jobs.services.checkpoints import admit_checkpoint, confirm_checkpoint
from worker import lines, meters
from worker.activities import Activities
from worker.client import connect, watch_sdk
from worker.contract import MEDIA_QUEUE, RENDITION_QUEUE
from worker.engine.shares import divide
from worker.engine.slots import EngineRefused, EngineSettings, SlotPool
from worker.media import landlock_problem
from worker.model import ModelMissing, named, resolve
from worker.presence import Presence, live_workers
from worker.room import tuner
from worker.scheduler import Scheduler
from worker.wake import Wake
from worker.workflows import TranscribeWorkflow

logger = logging.getLogger(__name__)

MEDIA_THREADS = 16
CONNECT_SECONDS = 2.0
CONNECTION_SECONDS = 600  # threads of activities keep theirs; Django asks each whether it is sound before it is used
# Each poll that a worker has open takes one task with it where that worker stands still: nobody does it until its limit
# of time is over. A round trip to Temporal takes milliseconds, so one poll at a time loses nothing; for workflows there
# must be two, one for those that this worker remembers.
ACTIVITY_POLLS, WORKFLOW_POLLS = 1, 2
# For a workflow's next step to be taken by the worker that remembers it, before any other may read its history anew.
REMEMBERED_SECONDS = 2.0
LAST_LOOK_SECONDS = 3.0  # for the scheduler to finish what it is at, rather than to leave a call to Temporal half way


class Command(BaseCommand):
    help = "Transcribe what the queue holds, until stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        said = "a model's name, the path of a checkpoint, or NAME=PATH; several times for several models"
        parser.add_argument("--model", action="append", default=[], help=f"{said} (default: those of the settings)")
        parser.add_argument("--name", default="", help="the name runs know the first model by")

    def run_from_argv(self, argv: list[str]) -> None:
        """End without taking the interpreter down piece by piece: a thread of the Temporal SDK that wakes up meanwhile
        crashes (temporalio/sdk-python issue 300). All that was begun is over by now, and what was said is out."""
        super().run_from_argv(argv)
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

    def handle(self, *args: Any, model: list[str], name: str, **options: Any) -> None:
        self._check_sandbox()
        watch_sdk()
        connection.settings_dict["CONN_MAX_AGE"] = CONNECTION_SECONDS  # one dictionary for all threads
        models = dict(map(named, model)) or dict(settings.MODELS)
        if name:
            first, *others = models.items()
            models = {name: first[1], **dict(others)}
        pools: list[SlotPool] = []
        try:
            self._load(models, pools)
            meters.show(pools, settings.WORKER_METRICS_ADDRESS)
            asyncio.run(serve(pools))
        finally:
            for pool in pools:
                pool.close()

    def _check_sandbox(self) -> None:
        """Recordings are hostile until decoded: in production no worker starts on a kernel that cannot shut them in."""
        problem = landlock_problem()
        if problem and not settings.EMBEDDED:
            raise CommandError(problem)
        if problem:
            logger.warning("%s", problem)

    def _load(self, models: Mapping[str, str], pools: list[SlotPool]) -> None:
        """The slots of each model, started one after the other; `pools` holds what is to be closed."""
        folder = Path(settings.MODEL_FOLDER) if settings.MODEL_FOLDER else None
        try:
            checkpoints = {name: resolve(what, folder) for name, what in models.items()}
            _check_mode(checkpoints)
            sizes = [path.stat().st_size for path in checkpoints.values()]
            shares = divide(settings.ENGINE_SLOTS, sizes, settings.ENGINE_MODE)
            for (name, checkpoint), share in zip(checkpoints.items(), shares, strict=True):
                pool = SlotPool(_engine_settings(name, checkpoint), share)
                pools.append(pool)
                loaded = pool.start()
                # The demo model is part of the code: a new version of that brings new weights.
                demo = checkpoint == settings.DEMO_CHECKPOINT
                (confirm_checkpoint if demo else admit_checkpoint)(name, loaded.sha256)
        except (ModelMissing, EngineRefused, JobError) as error:
            raise CommandError(str(error)) from error


def _check_mode(names: Iterable[str]) -> None:
    """One name stands for one mode: the pieces of a run go to all workers of its model, and would be heard in both."""
    other = live_workers().filter(model__in=names).exclude(mode__in=["", settings.ENGINE_MODE]).first()
    if other is not None:
        raise CommandError(
            f"Worker {other} offers {other.model} in {other.mode} mode, this one would in {settings.ENGINE_MODE} mode. "
            f"Stop that one first, or give the model another name here: {other.model}-{settings.ENGINE_MODE}=FILE."
        )


def _engine_settings(name: str, checkpoint: Path) -> EngineSettings:
    return EngineSettings(
        checkpoint=checkpoint,
        model=name,
        slots=settings.ENGINE_SLOTS,
        cancel_grace_seconds=settings.CANCEL_GRACE_SECONDS,
        window_cap_seconds=settings.WINDOW_CAP_SECONDS,
        mode=settings.ENGINE_MODE,
        log_format=settings.LOG_FORMAT,
    )


async def serve(pools: Sequence[SlotPool]) -> None:
    """Poll all queues and schedule, until SIGTERM or SIGINT; then finish the batches in hand."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    presence = await asyncio.to_thread(Presence, pools)
    lines.of_this_process(worker=presence.name)
    wake, scheduler = Wake(), Scheduler(await connect(lazy=True))
    listening, scheduling = asyncio.create_task(wake.listen()), asyncio.create_task(scheduler.run(wake))
    try:
        await _poll(pools, presence, stop)
    finally:
        scheduler.stop()
        wake.ring()
        await asyncio.wait([scheduling], timeout=LAST_LOOK_SECONDS)
        for helper in (listening, scheduling):
            helper.cancel()
        await asyncio.gather(listening, scheduling, return_exceptions=True)
        await scheduler.close()
        await asyncio.to_thread(presence.end)


async def _poll(pools: Sequence[SlotPool], presence: Presence, stop: asyncio.Event) -> None:
    client = await _connected(stop)
    if client is None:
        return
    async with AsyncExitStack() as running:
        for worker in _workers(client, pools, presence):
            await running.enter_async_context(worker)
        models = ", ".join(f"{pool.loaded.model} on {pool.device} in {pool.slots} slots" for pool in pools)
        logger.info("worker %s is ready: %s", presence.name, models)
        await stop.wait()


async def _connected(stop: asyncio.Event) -> Client | None:
    """A client as soon as Temporal answers; None when told to stop before."""
    while not stop.is_set():
        try:
            return await connect()
        except RuntimeError as error:  # what the SDK raises when nobody answers
            logger.warning(
                "Temporal does not answer at %s (%s); trying again", settings.TEMPORAL_ADDRESS, type(error).__name__
            )
            await asyncio.sleep(CONNECT_SECONDS)
    return None


def _workers(client: Client, pools: Sequence[SlotPool], presence: Presence) -> list[Worker]:
    engines = [Activities(pool, presence) for pool in pools]
    bodies = engines[0]  # what is not heard knows no model
    media = _worker(client, MEDIA_QUEUE, bodies.on_media(), MEDIA_THREADS, workflows=[TranscribeWorkflow])
    rendition = _worker(client, RENDITION_QUEUE, bodies.on_rendition(), 1)
    return [media, rendition, *(_engine_worker(client, one) for one in engines)]


def _engine_worker(client: Client, bodies: Activities) -> Worker:
    threads = 2 * bodies.pool.slots  # each slot's span, and the one that follows
    return _worker(client, bodies.queue, bodies.on_engine(), threads, tuner=tuner(bodies.pool))


def _worker(
    client: Client,
    queue: str,
    activities: list[Callable[..., Any]],
    threads: int,
    workflows: Sequence[type[TranscribeWorkflow]] = (),
    tuner: WorkerTuner | None = None,
) -> Worker:
    return Worker(
        client,
        task_queue=queue,
        workflows=workflows,
        activities=activities,
        activity_executor=ThreadPoolExecutor(threads),
        max_concurrent_activities=None if tuner else threads,
        tuner=tuner,
        max_concurrent_workflow_task_polls=WORKFLOW_POLLS,
        max_concurrent_activity_task_polls=ACTIVITY_POLLS,
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=REMEMBERED_SECONDS),
        graceful_shutdown_timeout=timedelta(seconds=settings.GRACEFUL_SHUTDOWN_SECONDS),
    )
