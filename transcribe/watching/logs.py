"""LOGGING for Django: one handler, one form for all loggers, uvicorn's and Temporal's included."""

import logging
from typing import Any

from django.urls import Resolver404, resolve

from worker.lines import JSON

FIXED = frozenset({"/healthz", "/readyz", "/metrics", "/api/v1/upload", "/api/v1/uploads/"})
FIXED_BELOW = ("/api/v1/uploads/", "/v1/audio/", "/static/")


def logging_settings(form: str, level: str) -> dict[str, Any]:
    """For Django's LOGGING. `form`: one of `worker.lines.FORMATS`."""
    # A line for each request is for collectors; in a terminal it would bury the others.
    requests = {"level": "INFO" if form == JSON else "WARNING"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "worker.lines.JsonLines" if form == JSON else "worker.lines.TextLines"}},
        "filters": {
            "request": {"()": "transcribe.request_id.NamesRequest"},
            "route": {"()": "transcribe.watching.logs.HidesPath"},
            "work": {"()": "worker.lines.NamesWork"},
        },
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "formatter": "line",
                "filters": ["request", "route", "work"],
            }
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "httpx": {"level": "WARNING"},  # it tells every address it calls
            "uvicorn": {"handlers": [], "propagate": True},  # it came with handlers of its own
            "uvicorn.access": {"handlers": [], "propagate": False},  # paths and queries as they came: never
            "uvicorn.error": {"handlers": [], "propagate": True},
            "transcribe.watching.requests": requests,
        },
    }


def route_of(path: str) -> tuple[str, dict[str, Any]]:
    """The path with names instead of values, as the URL conf has it, and the values. Paths can hold one-time links."""
    if path in FIXED:
        return path, {}
    if below := next((start for start in FIXED_BELOW if path.startswith(start)), None):
        return f"{below}…", {}
    try:
        found = resolve(path)
    except Resolver404:
        return "unknown", {}
    return f"/{found.route}", found.kwargs


class HidesPath(logging.Filter):
    """For handlers: Django's lines about a request name its route instead of its path."""

    def filter(self, record: logging.LogRecord) -> bool:
        path = getattr(getattr(record, "request", None), "path", None)
        if isinstance(path, str) and isinstance(record.args, tuple):
            as_logged = {path, path.encode("unicode_escape").decode("ascii")}  # Django escapes what it logs
            record.args = tuple(route_of(path)[0] if value in as_logged else value for value in record.args)
        return True
