"""Lines of logs, alike in every process: JSON for programs, or text for people. Standard library alone.

What a line is about (run, job, attempt) is set once by whoever works on it, for all lines of that thread or task.
"""

import json
import logging
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime

JSON, TEXT = FORMATS = ("json", "text")
# In this order. Whoever logs may add any of them by `extra`; what is not named here reaches no line.
FIELDS = ("request_id", "job", "run", "attempt", "worker", "method", "route", "status", "milliseconds")
LONGEST = 500  # characters of an exception's message
type About = dict[str, str | int]

_about: ContextVar[About | None] = ContextVar("about", default=None)
_everywhere: About = {}


def about(**fields: str | int) -> None:
    """Name what this thread or task works on from here on; names that were given before stay."""
    _about.set({**(_about.get() or {}), **fields})


def about_nothing() -> None:
    """The work is done; a pool's thread goes on to other work."""
    _about.set(None)


def of_this_process(**fields: str | int) -> None:
    """For all lines of the process, whatever thread says them."""
    _everywhere.update(fields)


class NamesWork(logging.Filter):
    """For handlers: puts the fields of `about` on records that do not say them."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in {**_everywhere, **(_about.get() or {})}.items():
            record.__dict__.setdefault(name, value)
        return True


class TextLines(logging.Formatter):
    """The house's text form. Errors of databases keep their messages to themselves: Postgres quotes the row in them,
    and the row may hold a transcript."""

    def __init__(self) -> None:
        form = "%(asctime)s %(levelname)s %(name)s:%(request_name)s %(message)s"
        super().__init__(form, defaults={"request_name": ""})

    def formatException(self, ei: object) -> str:  # noqa: N802 - its name in the standard library
        error = ei[1] if isinstance(ei, tuple) else None
        return "".join(_told(error)).rstrip() if isinstance(error, BaseException) else ""


class JsonLines(TextLines):
    """One object a line: time, level, logger, message, the FIELDS that are known, exception."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: record.__dict__[name] for name in FIELDS if name in record.__dict__}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)  # escapes what is not ASCII, so no line break or terminal code gets out


def begin(form: str) -> None:
    """For processes without Django: everything of INFO and above to stderr, also what would end the process."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == JSON else TextLines())
    handler.addFilter(NamesWork())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def _told(error: BaseException) -> Iterator[str]:
    """As Python writes it, the cause first."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        yield from _told(before)
        yield "Then:\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__qualname__}: {_message(error)}\n"
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _told(each)


def _message(error: BaseException) -> str:
    homes = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    of_a_database = "psycopg" in homes or any(kind.__module__ == "django.db.utils" for kind in type(error).__mro__)
    return f"({getattr(error, 'sqlstate', None) or 'database'})" if of_a_database else str(error)[:LONGEST]
