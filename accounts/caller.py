"""Where the request that is being answered came from. Set by the web server's outermost layer; threads have it, too.

Imports nothing of Django: logs are set up with it before the apps are there.
"""

from contextvars import ContextVar
from typing import NamedTuple


class Caller(NamedTuple):
    """The address, as the server in front of us tells it, and the name of the request in logs and answers."""

    address: str = ""
    request_id: str = ""


NOBODY = Caller()
caller: ContextVar[Caller] = ContextVar("caller", default=NOBODY)
