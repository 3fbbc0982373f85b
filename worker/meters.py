"""What a worker process counts as it happens, and the page that shows it. Labels are models and codes: no ids."""

import logging
from collections.abc import Iterator, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    Metric,
    PlatformCollector,
    ProcessCollector,
    start_http_server,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from worker.engine.base import Loaded

logger = logging.getLogger(__name__)

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

MODEL = ["model"]
FACTORS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)

DECODED = Counter("transcribe_decoded_seconds", "Seconds of recordings decoded.", registry=REGISTRY)
HEARD = Counter("transcribe_heard_seconds", "Seconds of sound transcribed and kept.", MODEL, registry=REGISTRY)
WORKED = Counter("transcribe_engine_seconds", "Seconds that engines took for it.", MODEL, registry=REGISTRY)
FACTOR = Histogram(
    "transcribe_real_time_factor",
    "Seconds an engine took for each second of sound, by request to it.",
    MODEL,
    buckets=FACTORS,
    registry=REGISTRY,
)
DEATHS = Counter("transcribe_engine_deaths", "Engines that were lost over a request.", MODEL, registry=REGISTRY)
FAILURES = Counter("transcribe_failures", "Transcriptions that failed, by cause.", ["code"], registry=REGISTRY)


def note_heard(model: str, sound: float, took: float) -> None:
    """A request to an engine came back: seconds of sound in it, and the seconds it took."""
    HEARD.labels(model).inc(sound)
    WORKED.labels(model).inc(took)
    if sound:
        FACTOR.labels(model).observe(took / sound)


class Offered(Protocol):
    """A model's slots, see `worker.engine.slots.SlotPool`."""

    loaded: Loaded
    slots: int

    @property
    def busy(self) -> int: ...

    def speed(self) -> float: ...


class Slots(Collector):
    """For a registry: the engine slots of this process, as they are when they are looked at."""

    def __init__(self, pools: Sequence[Offered]) -> None:
        self._pools = pools

    def collect(self) -> Iterator[Metric]:
        slots = GaugeMetricFamily("transcribe_engine_slots", "Engine slots of this worker.", labels=MODEL)
        busy = GaugeMetricFamily("transcribe_engine_slots_busy", "Those at work.", labels=MODEL)
        said = "Seconds of sound that one slot hears in a second, of late."
        speed = GaugeMetricFamily("transcribe_engine_speed", said, labels=MODEL)
        for pool in self._pools:
            for family, value in ((slots, pool.slots), (busy, pool.busy), (speed, pool.speed())):
                family.add_metric([pool.loaded.model], value)
        yield from (slots, busy, speed)


def show(pools: Sequence[Offered], address: str) -> None:
    """Serve the page at `address` (host:port) from a thread, as long as the process lives; empty: nowhere.

    An address that cannot be had is said and no more: metrics must not keep a worker from its work.
    """
    REGISTRY.register(Slots(pools))
    if not address:
        return
    parts = urlsplit(f"//{address}")
    try:
        start_http_server(parts.port or 0, parts.hostname or "", REGISTRY)
    except (OSError, ValueError) as error:
        logger.warning("no metrics of this worker at %s: %s", address, error)
