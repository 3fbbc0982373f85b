"""Room on the disk for one recording of the largest size and length that the settings allow."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from jobs.words import size
from transcribe.preflight.findings import Finding, failed, ok, warning

SAMPLE_BYTES = 16_000 * 2  # for each second of decoded sound: 16 bit, 16 kHz, one channel
FIX = "Make room, or lower UPLOAD_LIMIT_BYTES and DURATION_LIMIT_SECONDS."


def room() -> Iterator[Finding]:
    place = Path(settings.MEDIA_ROOT)
    free = shutil.disk_usage(next(folder for folder in (place, *place.parents) if folder.exists())).free
    upload = settings.UPLOAD_LIMIT_BYTES + settings.DISK_RESERVE_BYTES
    whole = upload + settings.DURATION_LIMIT_SECONDS * SAMPLE_BYTES
    if free < upload:
        yield failed(f"{size(free)} are free, and the largest upload with its reserve takes {size(upload)}.", FIX)
    elif free < whole:
        yield warning(f"{size(free)} are free, and the largest recording takes {size(whole)} while it is decoded.", FIX)
    else:
        yield ok(f"{size(free)} are free; the largest recording takes {size(whole)} while it is decoded.")
