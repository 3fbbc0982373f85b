"""Sockets are opened by our own pages alone.

Browsers send cookies with a handshake from any site and let no CORS rule stop it, so the Origin is the only defence.
Channels' own validator compares host names; this one compares scheme, host and port, as Django does for forms.
"""

import logging
from contextlib import suppress

from jobs.uploads.access import from_our_site, request_of
from jobs.uploads.wire import App, Receive, Scope, Send

FOREIGN = 4403
logger = logging.getLogger(__name__)


def same_origin(application: App) -> App:
    """`application`, for handshakes whose Origin is ours; others, and those without one, are refused unaccepted."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(UnicodeDecodeError):  # a query string that is not text
            request = request_of({**scope, "method": "POST"})
            if "HTTP_ORIGIN" in request.META and from_our_site(request):
                return await application(scope, receive, send)
        logger.warning("A socket was refused: its page is not ours.")
        await receive()
        await send({"type": "websocket.close", "code": FOREIGN})

    return guarded
