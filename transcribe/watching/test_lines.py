"""The form of lines in logs, and what never gets into one."""

import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.test import RequestFactory
from django.utils.log import log_response
from django.utils.module_loading import import_string

from accounts.caller import NOBODY, Caller, caller
from transcribe.watching.logs import logging_settings, route_of
from worker import lines

MARKER = "xylophone-marker"


@contextmanager
def logged(form: str = "json") -> Iterator[Callable[[], list[str]]]:
    """A logger "tried" with the handler of the settings; its lines so far.

    Not by dictConfig, which would take away pytest's handlers.
    """
    asked = logging_settings(form, "INFO")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(import_string(asked["formatters"]["line"]["()"])())
    for name in asked["handlers"]["console"]["filters"]:
        handler.addFilter(import_string(asked["filters"][name]["()"])())
    logger = logging.getLogger("tried")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield lambda: stream.getvalue().splitlines()
    logger.removeHandler(handler)


def said(found: Callable[[], list[str]]) -> dict[str, Any]:
    (line,) = found()
    return dict(json.loads(line))


def test_a_line_is_one_object_with_the_names_of_what_it_is_about() -> None:
    caller.set(Caller("", "a-name-of-a-proxy"))
    lines.about(run="r", attempt=2)
    with logged() as found:
        logging.getLogger("tried").info("heard %d\n\x1b[31mwindows", 3, extra={"job": "j", "title": MARKER})
    caller.set(NOBODY)
    lines.about_nothing()
    line = said(found)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "tried",
        "message": "heard 3\n\x1b[31mwindows",
        "request_id": "a-name-of-a-proxy",
        "job": "j",
        "run": "r",
        "attempt": 2,
    }
    assert "\x1b" not in found()[0]


def test_what_one_thread_works_on_is_not_said_of_another() -> None:
    lines.about(run="mine")
    with logged() as found:
        thread = threading.Thread(target=logging.getLogger("tried").info, args=("theirs",))
        thread.start()
        thread.join()
    lines.about_nothing()
    assert "run" not in said(found)


@pytest.mark.parametrize("form", lines.FORMATS)
def test_what_postgres_quotes_is_in_no_line_and_where_it_happened_is(form: str, db: None) -> None:
    people = get_user_model().objects
    people.create(username=MARKER)
    with pytest.raises(IntegrityError, match=MARKER) as refused, transaction.atomic():
        people.create(username=MARKER)
    with logged(form) as found:
        logging.getLogger("tried").error("it failed", exc_info=refused.value)
    text = "\n".join(found())
    assert "IntegrityError: (" in text
    assert "UniqueViolation: (23505)" in text  # its cause
    assert "test_lines.py" in text
    assert MARKER not in text


def test_errors_keep_their_order_and_groups_their_members() -> None:
    with logged() as found:
        try:
            raise ExceptionGroup("two", [KeyError("a"), OSError("b")])
        except ExceptionGroup:
            logging.getLogger("tried").exception("it failed")
    told = said(found)["exception"]
    assert told.index("ExceptionGroup: two") < told.index("KeyError: 'a'") < told.index("OSError: b")


def test_lines_of_django_name_the_route_and_not_the_path(rf: RequestFactory) -> None:
    request = rf.get(f"/sign-in/link/u/{MARKER}/", {"code": MARKER})
    with logged() as found:
        log_response(
            "Not Found: %s",
            request.path,
            request=request,
            response=type("Answer", (), {"status_code": 404})(),
            logger=logging.getLogger("tried"),
        )
    line = said(found)
    assert line["message"] == "Not Found: /sign-in/link/<str:uid>/<str:token>/"
    assert MARKER not in json.dumps(line)


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/upload", "/upload"),
        ("/api/v1/uploads/some-id", "/api/v1/uploads/…"),
        ("/static/js/live.js", "/static/…"),
        (f"/nothing/{MARKER}", "unknown"),
        ("/metrics", "/metrics"),
    ],
)
def test_routes_hold_no_values(path: str, route: str) -> None:
    assert route_of(path) == (route, {})
