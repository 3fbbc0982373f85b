"""Every request has a name: in its answer's `X-Request-ID`, in refusals, in logs. A proxy's own name for it is kept."""

import logging
import re
from uuid import uuid4

from accounts.caller import Caller, caller
from jobs.uploads.wire import App, Message, Receive, Scope, Send, header

NAME = re.compile(rb"[A-Za-z0-9_-]{8,64}")


class WithRequestId:
    """An ASGI application around another: sets `scope["request_id"]`."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        said = header(scope, b"x-request-id") or b""
        name = said if NAME.fullmatch(said) else uuid4().hex.encode()
        scope["request_id"] = name.decode()
        caller.set(Caller((scope.get("client") or [""])[0], name.decode()))

        async def named_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (b"x-request-id", name)]
            await send(message)

        await self._app(scope, receive, named_send)


class NamesRequest(logging.Filter):
    """For log handlers: `request_id` is the name of the request that a line belongs to, `request_name` the same in
    brackets, for the text form."""

    def filter(self, record: logging.LogRecord) -> bool:
        name = caller.get().request_id
        record.request_name = f" [{name}]" if name else ""
        if name:
            record.request_id = name
        return True
