"""Whether this process can do its part, piece by piece: what `/readyz` says."""

import shutil
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor

TEMPORAL_SECONDS = 1.0
type Part = Literal["ok", "down", "low", "missing", "unknown"]
NEEDED = ("database", "migrations", "media")  # without one of these, nobody is served

_migrated = False  # once they are, they stay


def parts() -> dict[str, Part]:
    """Of the database, its tables, the recordings' folder and disk, and Temporal, in this order."""
    database = _database()
    return {
        "database": database,
        "migrations": _migrations() if database == "ok" else "unknown",
        "media": _media(),
        "disk": "ok" if free_bytes() >= settings.DISK_RESERVE_BYTES else "low",
        "temporal": _temporal(),
    }


def status(found: dict[str, Part]) -> Literal["ok", "degraded", "down"]:
    """Uploads and reading go on while Temporal is away or the disk nearly full; recordings wait."""
    if any(found.get(name) != "ok" for name in NEEDED):
        return "down"
    return "ok" if all(part == "ok" for part in found.values()) else "degraded"


def free_bytes() -> int:
    """On the disk of the recordings."""
    return shutil.disk_usage(_folder()).free


def _folder() -> Path:
    """Of the recordings, or, before the first upload, the one in which it will be made."""
    place = Path(settings.MEDIA_ROOT)
    return next(folder for folder in (place, *place.parents) if folder.exists())


def _database() -> Part:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return "down"
    return "ok"


def _migrations() -> Part:
    global _migrated
    with suppress(Error):
        executor = MigrationExecutor(connection) if not _migrated else None
        _migrated = executor is None or not executor.migration_plan(executor.loader.graph.leaf_nodes())
        return "ok" if _migrated else "missing"
    return "unknown"


def _media() -> Part:
    try:
        with tempfile.TemporaryFile(dir=_folder()):
            return "ok"
    except OSError:
        return "down"


def _temporal() -> Part:
    """Whether somebody listens: the web process speaks no word with it."""
    address = urlsplit(f"//{settings.TEMPORAL_ADDRESS}")
    try:
        with socket.create_connection((address.hostname or "", address.port or 7233), TEMPORAL_SECONDS):
            return "ok"
    except OSError:
        return "down"
