"""Temporal: it answers, and has our namespace."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.service import RPCError, RPCStatusCode

from transcribe.preflight.findings import Finding, failed, ok
from worker.client import connect

SECONDS = 10.0
ANSWER = timedelta(seconds=5)


def server() -> Iterator[Finding]:
    where = settings.TEMPORAL_ADDRESS
    try:
        asyncio.run(_described())
    except (RuntimeError, TimeoutError):  # the first is what the SDK raises when nobody answers
        yield failed(f"Temporal does not answer at {where}.", "Start it, or correct TEMPORAL_ADDRESS and TEMPORAL_TLS.")
    except RPCError as error:
        yield _refused(error)
    else:
        yield ok(f"Temporal answers at {where}, and has the namespace {settings.TEMPORAL_NAMESPACE}.")


def _refused(error: RPCError) -> Finding:
    named = settings.TEMPORAL_NAMESPACE
    if error.status == RPCStatusCode.NOT_FOUND:
        fix = f"Make it (temporal operator namespace create -n {named}), or correct TEMPORAL_NAMESPACE."
        return failed(f"Temporal has no namespace {named}.", fix)
    return failed(
        f"Temporal does not let us in: {error.status.name.lower()}.", "Look at TEMPORAL_API_KEY and TEMPORAL_TLS."
    )


async def _described() -> None:
    async with asyncio.timeout(SECONDS):
        client = await connect()
        asked = DescribeNamespaceRequest(namespace=settings.TEMPORAL_NAMESPACE)
        await client.workflow_service.describe_namespace(asked, timeout=ANSWER)
