"""What the web server serves: Django behind the gate, the upload doors beside it, and the live sockets."""

import os
from typing import Any

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application


def build() -> ProtocolTypeRouter:
    """The whole application. Our modules are imported here because they need Django to be set up."""
    django: Any = get_asgi_application()

    from django.conf import settings

    from accounts.tokens import reader, uploader
    from jobs.events import EventsDoor
    from jobs.openai.door import AudioDoor
    from jobs.routing import live, with_events
    from jobs.uploads.door import UploadDoor
    from jobs.uploads.tus import TusDoor
    from jobs.uploads.wire import App
    from transcribe.checks import refuse_unsafe
    from transcribe.gate import Gate
    from transcribe.headers import WithHeaders
    from transcribe.origin import same_origin
    from transcribe.postgres.base import idle
    from transcribe.request_id import WithRequestId
    from transcribe.watching.doors import metrics, ready
    from transcribe.watching.requests import Watched

    refuse_unsafe()
    idle.most = settings.DATABASE_IDLE_CONNECTIONS
    doors: dict[str, App] = {
        "/api/v1/upload": UploadDoor(uploader),
        "/api/v1/uploads/": TusDoor(uploader),
        "/v1/audio/transcriptions": AudioDoor("transcribe", uploader),
        "/v1/audio/translations": AudioDoor("translate", uploader),
        "/readyz": ready(),
        "/metrics": metrics(),
    }
    http = with_events(EventsDoor(reader), Gate(django, doors))
    watched = WithRequestId(Watched(WithHeaders(http)))
    return ProtocolTypeRouter({"http": watched, "websocket": Watched(same_origin(live))})


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "transcribe.settings")
application = build()
