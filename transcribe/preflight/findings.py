"""What a look finds: a result, a sentence, and how to mend it where something is to be mended."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.db import DatabaseError

logger = logging.getLogger(__name__)


class Result(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """`said`: what is so. `fix`: what to do, a sentence; empty where all is well."""

    result: Result
    said: str
    fix: str = ""


type Look = Callable[[], Iterable[Finding]]


def ok(said: str) -> Finding:
    return Finding(Result.OK, said)


def warning(said: str, fix: str) -> Finding:
    return Finding(Result.WARNING, said, fix)


def failed(said: str, fix: str) -> Finding:
    return Finding(Result.FAILED, said, fix)


def looked(looks: Iterable[tuple[str, Look]]) -> Iterator[tuple[str, Finding]]:
    """Each finding with the name of its look. One that breaks off is a finding too, and the others go on."""
    for name, look in looks:
        try:
            for finding in look():
                yield name, finding
        except DatabaseError as error:
            logger.debug("the look at %s broke off", name, exc_info=error)
            yield name, warning("It was not looked at: the database is asked for it.", "Mend the database first.")
        except Exception as error:
            logger.debug("the look at %s broke off", name, exc_info=error)
            said = f"The look broke off ({type(error).__name__})."
            yield name, failed(said, "Run it again with LOG_LEVEL=DEBUG, which shows where.")
