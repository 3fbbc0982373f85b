"""What the database says about the work, for the metrics: little time for each question, few values of each label."""

import logging
from collections.abc import Iterator
from datetime import timedelta

from django.db import Error, connection, transaction
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from jobs.services import figures
from transcribe.watching.ready import free_bytes

logger = logging.getLogger(__name__)

STATEMENT_MILLISECONDS = 2000
LATELY, DAY = timedelta(minutes=5), timedelta(days=1)
CAUSES = 30  # codes of failures at most; further ones are "other"


def gauges() -> list[Metric]:
    """Without the database: that it is away, and nothing else."""
    try:
        with transaction.atomic():
            _hurry()
            return [database_up(True), *_runs(), *_uploads(), *_workers()]
    except Error as error:
        logger.warning("the metrics could not ask the database: %s", type(error).__name__)
        return [database_up(False)]


def database_up(answered: bool) -> Metric:
    return GaugeMetricFamily("transcribe_database_up", "Whether the database answered in time.", value=answered)


def _hurry() -> None:
    """A large or busy database must not pile up readers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(STATEMENT_MILLISECONDS)])


def _runs() -> Iterator[Metric]:
    states = GaugeMetricFamily("transcribe_runs", "Transcriptions in each state.", labels=["state"])
    for state, count in figures.runs_by_state().items():
        states.add_metric([state], count)
    yield states
    queue = figures.queue()
    yield GaugeMetricFamily("transcribe_queue_length", "Transcriptions that nobody has begun.", value=queue.waiting)
    said = "How long the oldest of them has waited."
    yield GaugeMetricFamily("transcribe_queue_oldest_seconds", said, value=queue.oldest_seconds)
    said = "Seconds of recordings transcribed in the last five minutes, by all workers."
    yield GaugeMetricFamily("transcribe_heard_seconds_5m", said, value=figures.heard_seconds(LATELY))
    failed = GaugeMetricFamily("transcribe_failed_1d", "Failures of the last day by cause.", labels=["code"])
    causes = list(figures.failures(DAY).items())
    for code, count in causes[:CAUSES]:
        failed.add_metric([code], count)
    failed.add_metric(["other"], sum(count for _, count in causes[CAUSES:]))
    yield failed


def _uploads() -> Iterator[Metric]:
    found = figures.unfinished()
    yield GaugeMetricFamily("transcribe_uploads_unfinished", "Uploads that are not whole yet.", value=found.count)
    said = "Bytes of them that are here."
    yield GaugeMetricFamily("transcribe_uploads_unfinished_bytes", said, value=found.bytes)
    yield GaugeMetricFamily("transcribe_media_free_bytes", "Free on the disk of the recordings.", value=free_bytes())


def _workers() -> Iterator[Metric]:
    workers = GaugeMetricFamily("transcribe_workers", "Live workers that offer a model.", labels=["model"])
    slots = GaugeMetricFamily("transcribe_slots", "Engine slots of live workers.", labels=["model"])
    said = "Seconds of sound heard in a second by all of them together."
    speed = GaugeMetricFamily("transcribe_speed", said, labels=["model"])
    for each in figures.capacity():
        for family, value in ((workers, each.workers), (slots, each.slots), (speed, each.speed)):
            family.add_metric([each.model], value)
    yield from (workers, slots, speed)
