"""The virus scanner, where one is named: it answers as clamd does."""

from collections.abc import Iterator

from django.conf import settings

from transcribe.preflight.findings import Finding, failed, ok, warning
from worker.clamd import ScannerAway, ping


def clamd() -> Iterator[Finding]:
    where, required = settings.CLAMD_ADDRESS, settings.SCAN_POLICY == "required"
    if not where:
        yield ok("Uploads are not scanned for viruses.")
        return
    try:
        ping(where)
    except ScannerAway as away:
        said, fix = f"No virus scanner answers at {where}: {away}.", "Start ClamAV, or correct CLAMD_ADDRESS."
        yield failed(said, fix) if required else warning(said, fix)
    else:
        yield ok(f"The virus scanner answers at {where}.")
