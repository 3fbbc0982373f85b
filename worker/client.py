"""The one place that opens a Temporal client."""

import logging

from django.conf import settings
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.runtime import LogForwardingConfig, LoggingConfig, PrometheusConfig, Runtime, TelemetryConfig

logger = logging.getLogger(__name__)


async def connect(*, lazy: bool = False) -> Client:
    """A client for the configured server. TEMPORAL_TLS*, TEMPORAL_API_KEY and the like are read by the SDK itself.

    `lazy` connects at the first call; workers cannot poll through such a client. Raises RuntimeError: nobody answers.
    """
    config = ClientConfig.load_client_connect_config()
    config["target_host"] = settings.TEMPORAL_ADDRESS
    config["namespace"] = settings.TEMPORAL_NAMESPACE
    return await Client.connect(**config, lazy=lazy)


def watch_sdk() -> None:
    """Before the first client of a process: the SDK's lines go to our log, its metrics to TEMPORAL_METRICS_ADDRESS."""
    Runtime.set_default(_runtime(settings.TEMPORAL_METRICS_ADDRESS))


def _runtime(address: str) -> Runtime:
    forwarding = LogForwardingConfig(logging.getLogger("temporalio.core"), append_target_to_name=False)
    lines = LoggingConfig(LoggingConfig.default.filter, forwarding)
    shown = PrometheusConfig(address, counters_total_suffix=True, unit_suffix=True, durations_as_seconds=True)
    try:
        return Runtime(telemetry=TelemetryConfig(logging=lines, metrics=shown if address else None))
    except (RuntimeError, ValueError) as error:  # the address is taken, or none
        logger.warning("no metrics of the Temporal SDK at %s: %s", address, error)
        return Runtime(telemetry=TelemetryConfig(logging=lines))
