"""What is noted of each request, around the whole application: a line of the log and some counters.

Its path is never written, because paths can hold one-time links: its route is, see `logs.route_of`.
"""

import logging
import time

from jobs.uploads.wire import App, Message, Receive, Scope, Send
from transcribe.watching import meters
from transcribe.watching.logs import route_of

logger = logging.getLogger(__name__)

NO_LINE = frozenset({"/healthz", "/readyz", "/metrics"})  # asked every few seconds
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UPLOAD_DOORS = ("/api/v1/upload", "/v1/audio/")


class Watched:
    """An ASGI application around another, for requests and for sockets."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            with meters.SOCKETS.track_inprogress():
                await self._app(scope, receive, send)
        elif scope["path"].startswith(UPLOAD_DOORS) and scope["method"] in ("POST", "PATCH"):
            with meters.UPLOADS.track_inprogress():
                await self._answered(scope, _counting(receive), send)
        else:
            await self._answered(scope, receive, send)

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, began = 0, time.monotonic()  # 0: nobody was there to answer

        async def noting_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting_send)
        except Exception:
            status = status or 500  # which the server says for us
            raise
        finally:
            _note(scope, status, time.monotonic() - began)


def _counting(receive: Receive) -> Receive:
    async def counting() -> Message:
        message = await receive()
        meters.UPLOADED_BYTES.inc(len(message.get("body", b"")))
        return message

    return counting


def _note(scope: Scope, status: int, seconds: float) -> None:
    method = scope["method"] if scope["method"] in METHODS else "other"
    meters.REQUESTS.labels(method, str(status)).inc()
    path = scope["path"]
    if path in NO_LINE or path.startswith("/static/") or not logger.isEnabledFor(logging.INFO):
        return
    route, values = route_of(path)
    said: dict[str, object] = {
        "method": method,
        "route": route,
        "status": status,
        "milliseconds": round(seconds * 1000),
    }
    if job := values.get("job_id"):
        said["job"] = str(job)
    logger.info("%s %s %s", method, route, status, extra=said)
