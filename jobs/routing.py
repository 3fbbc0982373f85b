"""Addresses of live pages, and of the events of a recording."""

from typing import Any
from uuid import UUID

from channels.routing import URLRouter
from django.urls import path, re_path

from jobs.consumers import JobPage, ListPage
from jobs.sockets import Socket
from jobs.uploads.wire import App, Receive, Scope, Send


async def live_list(scope: Scope, receive: Receive, send: Send) -> None:
    """Rows of one's own recordings."""
    await Socket(scope, receive, send, ListPage()).serve()


async def live_job(scope: Scope, receive: Receive, send: Send) -> None:
    """One recording of one's own."""
    job_id: UUID = scope["url_route"]["kwargs"]["job_id"]
    await Socket(scope, receive, send, JobPage(job_id)).serve()


async def nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    """Any other address; without it the router raises, and a log line with a trace is free for the asking."""
    await receive()
    await send({"type": "websocket.close", "code": 4404})


_pages: dict[str, Any] = {"live/": live_list, "live/<uuid:job_id>/": live_job}  # Django's stubs know only views
_otherwise: Any = nothing_here
live = URLRouter([*(path(route, page) for route, page in _pages.items()), re_path("", _otherwise)])


def with_events(events: App, others: App) -> URLRouter:
    """`events` at its address, `others` at every other one."""
    doors: dict[str, Any] = {"events": events, "others": others}
    return URLRouter([path("api/v1/jobs/<uuid:job_id>/events", doors["events"]), re_path("", doors["others"])])
