"""Which looks belong to which process. The web process has neither torch nor a way to Temporal."""

from collections.abc import Iterator
from functools import partial

from transcribe.preflight import clock, configuration, disk, folder, identity, postgres
from transcribe.preflight.findings import Look

WEB, WORKER, ALL = "web", "worker", "all"
ROLES = (WEB, WORKER, ALL)


def looks(role: str, *, gpu: bool) -> Iterator[tuple[str, Look]]:
    """Of this role, in the order in which one stands on another. `gpu`: there must be one."""
    yield "settings", configuration.complaints
    yield "secrets", configuration.secrets
    yield "database", postgres.database
    yield "media", folder.media
    yield "disk", disk.room
    yield "clock", clock.database
    if role != WORKER:
        yield "clock", clock.provider
        yield "identity provider", identity.provider
    if role != WEB:
        yield from _of_worker(gpu)


def _of_worker(gpu: bool) -> Iterator[tuple[str, Look]]:
    from transcribe.preflight import engine, sandbox, scanner, temporal  # not in the image of the web process

    yield "temporal", temporal.server
    yield "model", engine.checkpoints
    yield "gpu", partial(engine.graphics, wanted=gpu)
    yield "decode child", sandbox.decode_child
    yield "virus scanner", scanner.clamd
