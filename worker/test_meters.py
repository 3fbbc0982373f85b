"""A worker's metrics, its page, and whether it lives."""

import logging
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from temporalio.client import Client
from temporalio.runtime import Runtime

from jobs.models import Worker
from transcribe.embedded.ports import free_port
from worker import client, meters

POOL: Any = SimpleNamespace(loaded=SimpleNamespace(model="small"), slots=3, busy=2, speed=lambda: 4.5)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> CollectorRegistry:
    """One of this test's own, with the counters in it."""
    made = CollectorRegistry()
    for each in (meters.HEARD, meters.WORKED, meters.FACTOR):
        made.register(each)
    monkeypatch.setattr(meters, "REGISTRY", made)
    return made


def samples(address: str) -> dict[str, float]:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as page:
        families = list(text_string_to_metric_families(page.read().decode()))
    return {
        f"{sample.name}{sample.labels.get('le', '')}": sample.value
        for family in families
        for sample in family.samples
        if sample.labels.get("model") in (None, "small")
    }


def test_its_page_shows_slots_and_what_engines_did(registry: CollectorRegistry) -> None:
    address = f"127.0.0.1:{free_port()}"
    meters.show([POOL], address)
    meters.note_heard("small", sound=60.0, took=3.0)
    meters.note_heard("small", sound=0.0, took=0.0)
    found = samples(address)
    assert (found["transcribe_engine_slots"], found["transcribe_engine_slots_busy"]) == (3, 2)
    assert found["transcribe_engine_speed"] == 4.5
    assert (found["transcribe_heard_seconds_total"], found["transcribe_engine_seconds_total"]) == (60, 3)
    assert (found["transcribe_real_time_factor_bucket0.02"], found["transcribe_real_time_factor_bucket0.05"]) == (0, 1)


@pytest.mark.parametrize("show", [lambda address: meters.show([POOL], address), client._runtime])
def test_an_address_that_is_taken_is_said_and_stops_nothing(
    show: Callable[[str], object], registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, caplog.at_level(logging.WARNING):
        show(f"127.0.0.1:{taken.getsockname()[1]}")
    assert [record.getMessage().partition(" at ")[0] for record in caplog.records] in (
        ["no metrics of this worker"],
        ["no metrics of the Temporal SDK"],
    )


async def test_the_sdk_shows_its_own(temporal_address: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    runtime = client._runtime(address)
    assert isinstance(runtime, Runtime)
    connected = await Client.connect(temporal_address, runtime=runtime)
    await connected.service_client.check_health()
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as page:
        assert "temporal_request_total" in page.read().decode()


def test_health_is_a_beat_of_late_by_a_worker_of_this_machine(
    make_worker: Callable[..., Worker], capsys: pytest.CaptureFixture[str], settings: Any
) -> None:
    here = socket.gethostname()
    make_worker(host="elsewhere")
    with pytest.raises(CommandError, match="No worker runs here"):
        call_command("worker_health")
    make_worker(host=here, pid=7, ended_at=timezone.now())
    with pytest.raises(CommandError, match="No worker runs here"):
        call_command("worker_health")
    late = timezone.now() - timedelta(seconds=3 * settings.WORKER_BEAT_SECONDS + 1)
    frozen = make_worker(host=here, pid=8, seen_at=late)
    with pytest.raises(CommandError, match=f"The worker {frozen} was last seen"):
        call_command("worker_health")
    make_worker(host=here, pid=9)
    call_command("worker_health")
    assert f"{here}:9 was seen" in capsys.readouterr().out
    with pytest.raises(CommandError, match=f"{frozen}"):
        call_command("worker_health", pid=8)
