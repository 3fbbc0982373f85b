"""`/readyz` for load balancers and `/metrics` for Prometheus: raw ASGI, so that neither waits for Django's threads."""

import hmac
import ipaddress
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import translation
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

from jobs.errors import NotFound
from jobs.uploads.access import language_of
from jobs.uploads.wire import App, Receive, Scope, Send, answer, as_json, header, problem
from transcribe.watching.gauges import database_up, gauges
from transcribe.watching.meters import REGISTRY
from transcribe.watching.reading import Reading
from transcribe.watching.ready import Part, parts, status

FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip", b"via")
PLAIN = b"text/plain; version=0.0.4; charset=utf-8"


def ready() -> App:
    """200 with "ok" or "degraded", 503 with "down"; the parts are words of ours, without addresses or paths."""
    reading = Reading(parts, kept_seconds=1)

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            found = await reading.ask()
        except TimeoutError:
            found = dict[str, Part](database="down")
        said = status(found)
        await answer(send, 503 if said == "down" else 200, as_json({"status": said, "parts": found}))

    return door


def metrics() -> App:
    """The page, for whoever `may_read` it; 404 for everybody else."""
    reading = Reading(gauges, kept_seconds=5)

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        if not may_read(scope):
            with translation.override(language_of(scope)):
                return await answer(send, 404, as_json(problem(scope, NotFound("There is nothing here."))))
        try:
            found = await reading.ask()
        except TimeoutError:
            found = [database_up(False)]
        await answer(send, 200, (generate_latest(REGISTRY) + generate_latest(_registry(found)), PLAIN))

    return door


def may_read(scope: Scope) -> bool:
    """Who has METRICS_TOKEN; without one, programs on this very machine that came here directly.

    A proxy on this machine connects from it, too, and a page of another site may be made to name us: so nothing may
    have been forwarded, and the host must be named as this machine.
    """
    if settings.METRICS_TOKEN:
        sent = header(scope, b"authorization") or b""
        return hmac.compare_digest(sent, f"Bearer {settings.METRICS_TOKEN}".encode())
    host = urlsplit(f"//{(header(scope, b'host') or b'').decode('latin-1')}").hostname or ""
    direct = not any(header(scope, name) for name in FORWARDED)
    return direct and _is_here((scope.get("client") or [""])[0]) and (host == "localhost" or _is_here(host))


def _is_here(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _registry(found: list[Metric]) -> CollectorRegistry:
    class Found(Collector):
        def collect(self) -> list[Metric]:
            return found

    registry = CollectorRegistry()
    registry.register(Found())
    return registry
