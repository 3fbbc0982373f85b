"""The virus scanner, where one is set: recordings wait for it, or go on without, as SCAN_POLICY says."""

from collections.abc import Iterator

from django.conf import settings

from transcribe.preflight.findings import Finding, failed, ok, warning
from worker.clamd import ScannerAway, ping


def clamd() -> Iterator[Finding]:
    where = settings.CLAMD_ADDRESS
    if not where:
        yield ok("None is set: recordings are not scanned.")
        return
    try:
        ping(where)
    except ScannerAway as error:
        required = settings.SCAN_POLICY == "required"
        then = "recordings wait for it" if required else "recordings go on unscanned"
        say = failed if required else warning
        yield say(f"clamd does not answer at {where} ({error}): {then}.", "Start it, or correct CLAMD_ADDRESS.")
    else:
        yield ok(f"clamd answers at {where}.")
