"""Uploads are shown to a virus scanner before the decode child reads them, where CLAMD_ADDRESS names one.

Every run is scanned, not every file once: signatures grow, a scanner may have been away or switched on later, and a
file may have changed on the disk. With one signature clamd took a GiB in 9 to 62 s, on two cores that others used, too.
"""

import logging
from collections.abc import Callable

from django.conf import settings

from jobs.models import Run
from jobs.services.begin import PREPARING, SCANNER_AWAY, SCANNING
from jobs.services.finish import INFECTED, NOT_SCANNED
from worker.clamd import ScannerAway, ScanRefused, ping, scan
from worker.endings import refused, scanner_away
from worker.sentences import INFECTED_BY, SCAN_REFUSED, UNSCANNED_AWAY, UNSCANNED_REFUSED
from worker.watch import Watch

logger = logging.getLogger(__name__)
type Notes = list[dict[str, str]]
type Tell = Callable[[str], bool]  # the stage a run is in now; whether that is news


def first_stage() -> str:
    """What a run does first."""
    return SCANNING if settings.CLAMD_ADDRESS else PREPARING


def scan_recording(run: Run, watch: Watch, tell: Tell) -> Notes:
    """Let the scanner look at it: warnings for the run where it could not and the operator lets that pass.

    Something found ends the run, and so does a file beyond the scanner's limits, unless the policy is best effort. One
    that is away is waited for by trying again. Raises what `watch.poll` raises.
    """
    if not settings.CLAMD_ADDRESS:
        return []
    try:
        found = _asked(run, watch, tell)
    except ScannerAway as why:
        return _away(run, tell, str(why))
    except ScanRefused as why:
        logger.warning("run %s: the virus scanner did not look into it: %s", run.pk, why)
        if settings.SCAN_POLICY == "best_effort":
            return [{"code": NOT_SCANNED, "detail": UNSCANNED_REFUSED}]
        raise refused(NOT_SCANNED, SCAN_REFUSED) from None
    except FileNotFoundError:
        return []  # decoding says so
    if found:
        logger.warning("run %s: the virus scanner found %s", run.pk, found)
        raise refused(INFECTED, INFECTED_BY.format(name=found))
    return []


def _asked(run: Run, watch: Watch, tell: Tell) -> str | None:
    ping(settings.CLAMD_ADDRESS, poll=watch.poll)  # a run that waits says so until somebody is there
    tell(SCANNING)
    with run.job.path.open("rb") as recording:
        return scan(recording, settings.CLAMD_ADDRESS, silence_seconds=settings.CLAMD_SILENCE_SECONDS, poll=watch.poll)


def _away(run: Run, tell: Tell, why: str) -> Notes:
    if settings.SCAN_POLICY == "best_effort":
        logger.warning("run %s: not scanned for viruses: %s", run.pk, why)
        return [{"code": NOT_SCANNED, "detail": UNSCANNED_AWAY}]
    if tell(SCANNER_AWAY):
        logger.warning("run %s waits for the virus scanner at %s: %s", run.pk, settings.CLAMD_ADDRESS, why)
    raise scanner_away()
