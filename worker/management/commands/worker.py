"""`manage.py worker`: the Temporal worker. A second one on the same stack shares the work."""

import asyncio
import logging
import os
import signal
import sys
from argparse import ArgumentParser
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from temporalio.client import Client
from temporalio.worker import Worker

from jobs.errors import JobError
from jobs.services.checkpoints import admit_checkpoint, confirm_checkpoint
from worker.activities import Activities
from worker.client import connect
from worker.contract import MEDIA_QUEUE, RENDITION_QUEUE, transcribe_queue
from worker.engine.slots import EngineRefused, EngineSettings, SlotPool
from worker.media import landlock_problem
from worker.model import ModelMissing, resolve
from worker.presence import Presence
from worker.scheduler import Scheduler
from worker.wake import Wake
from worker.workflows import TranscribeWorkflow

logger = logging.getLogger(__name__)

MEDIA_THREADS = 16
CONNECT_SECONDS = 2.0
LAST_LOOK_SECONDS = 3.0  # for the scheduler to finish what it is at, rather than to leave a call to Temporal half way


class Command(BaseCommand):
    help = "Transcribe what the queue holds, until stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--model", default=settings.WHISPER_MODEL, help="a model name or the path of a checkpoint")
        parser.add_argument("--name", default=settings.MODEL_NAME, help="the name runs know the model by")

    def run_from_argv(self, argv: list[str]) -> None:
        """End without taking the interpreter down piece by piece: a thread of the Temporal SDK that wakes up meanwhile
        crashes (temporalio/sdk-python issue 300). All that was begun is over by now, and what was said is out."""
        super().run_from_argv(argv)
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

    def handle(self, *args: Any, model: str, name: str, **options: Any) -> None:
        self._check_sandbox()
        pool = self._engine(model, name)
        try:
            asyncio.run(serve(pool))
        finally:
            pool.close()

    def _check_sandbox(self) -> None:
        """Recordings are hostile until decoded: in production no worker starts on a kernel that cannot shut them in."""
        problem = landlock_problem()
        if problem and not settings.EMBEDDED:
            raise CommandError(problem)
        if problem:
            logger.warning("%s", problem)

    def _engine(self, model: str, name: str) -> SlotPool:
        try:
            checkpoint = resolve(model, Path(settings.MODEL_FOLDER) if settings.MODEL_FOLDER else None)
            pool = SlotPool(
                EngineSettings(
                    checkpoint=checkpoint,
                    model=name,
                    slots=settings.ENGINE_SLOTS,
                    cancel_grace_seconds=settings.CANCEL_GRACE_SECONDS,
                    window_cap_seconds=settings.WINDOW_CAP_SECONDS,
                    mode=settings.ENGINE_MODE,
                )
            )
            loaded = pool.start()
            # The demo model is part of the code: a new version of that brings new weights.
            (confirm_checkpoint if settings.DEMO_MODEL else admit_checkpoint)(name, loaded.sha256)
        except (ModelMissing, EngineRefused, JobError) as error:
            raise CommandError(str(error)) from error
        return pool


async def serve(pool: SlotPool) -> None:
    """Poll both queues and schedule, until SIGTERM or SIGINT; then finish the batches in hand."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    presence = await asyncio.to_thread(Presence, pool.loaded, pool.slots, pool.speed)
    wake, scheduler = Wake(), Scheduler(await connect(lazy=True))
    listening, scheduling = asyncio.create_task(wake.listen()), asyncio.create_task(scheduler.run(wake))
    try:
        await _poll(pool, presence, stop)
    finally:
        scheduler.stop()
        wake.ring()
        await asyncio.wait([scheduling], timeout=LAST_LOOK_SECONDS)
        for helper in (listening, scheduling):
            helper.cancel()
        await asyncio.gather(listening, scheduling, return_exceptions=True)
        await scheduler.close()
        await asyncio.to_thread(presence.end)


async def _poll(pool: SlotPool, presence: Presence, stop: asyncio.Event) -> None:
    client = await _connected(stop)
    if client is None:
        return
    media, engine, rendition = _workers(client, pool, presence)
    logger.info(
        "worker %s is ready: model %s on %s, %d slots", presence.name, pool.loaded.model, pool.device, pool.slots
    )
    async with media, engine, rendition:
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


def _workers(client: Client, pool: SlotPool, presence: Presence) -> tuple[Worker, Worker, Worker]:
    bodies = Activities(pool, presence)
    grace = timedelta(seconds=settings.GRACEFUL_SHUTDOWN_SECONDS)
    media = Worker(
        client,
        task_queue=MEDIA_QUEUE,
        workflows=[TranscribeWorkflow],
        activities=bodies.on_media(),
        activity_executor=ThreadPoolExecutor(MEDIA_THREADS),
        max_concurrent_activities=MEDIA_THREADS,
        graceful_shutdown_timeout=grace,
    )
    engine = Worker(
        client,
        task_queue=transcribe_queue(pool.loaded.model),
        activities=bodies.on_engine(),
        activity_executor=ThreadPoolExecutor(pool.slots),
        max_concurrent_activities=pool.slots,
        graceful_shutdown_timeout=grace,
    )
    rendition = Worker(
        client,
        task_queue=RENDITION_QUEUE,
        activities=bodies.on_rendition(),
        activity_executor=ThreadPoolExecutor(1),
        max_concurrent_activities=1,
        graceful_shutdown_timeout=grace,
    )
    return media, engine, rendition
