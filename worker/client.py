"""The one place that opens a Temporal client."""

from django.conf import settings
from temporalio.client import Client
from temporalio.envconfig import ClientConfig


async def connect(*, lazy: bool = False) -> Client:
    """A client for the configured server. TEMPORAL_TLS*, TEMPORAL_API_KEY and the like are read by the SDK itself.

    `lazy` connects at the first call; workers cannot poll through such a client. Raises RuntimeError: nobody answers.
    """
    config = ClientConfig.load_client_connect_config()
    config["target_host"] = settings.TEMPORAL_ADDRESS
    config["namespace"] = settings.TEMPORAL_NAMESPACE
    return await Client.connect(**config, lazy=lazy)
