"""What every answer says about itself, whichever door it came from: Django's pages, its static files, the raw doors."""

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from jobs.uploads.access import request_of
from jobs.uploads.wire import App, Headers, Message, Receive, Scope, Send

EVERYWHERE: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),  # what is no page may do nothing
    (b"cache-control", b"no-store"),
]
PRIVATE = "private, no-store"


class WithHeaders:
    """An ASGI application around another: adds what its answers do not say themselves."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def complete_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = [(name.lower(), value) for name, value in message.get("headers", [])]
                names = {name for name, _value in said}
                message["headers"] = said + [each for each in [*EVERYWHERE, *_varying(scope)] if each[0] not in names]
            await send(message)

        await self._app(scope, receive, complete_send)


@sync_and_async_middleware
def private_by_default(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Middleware: nothing of a page stays in a browser after signing out, unless its view says how long it may."""

    def marked(answer: HttpResponseBase) -> HttpResponseBase:
        answer.headers.setdefault("Cache-Control", PRIVATE)
        return answer

    async def later(request: HttpRequest) -> HttpResponseBase:
        return marked(await get_response(request))

    if iscoroutinefunction(get_response):
        return later
    return lambda request: marked(get_response(request))


def _varying(scope: Scope) -> Headers:
    found = [(b"referrer-policy", str(settings.SECURE_REFERRER_POLICY).encode())]
    if settings.SECURE_HSTS_SECONDS and _is_secure(scope):
        value = f"max-age={settings.SECURE_HSTS_SECONDS}; includeSubDomains; preload"
        found.append((b"strict-transport-security", value.encode()))
    return found


def _is_secure(scope: Scope) -> bool:
    """As Django judges it: a proxy's word counts where the settings say that there is one."""
    return request_of({**scope, "query_string": b""}).is_secure()
