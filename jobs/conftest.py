"""The web server as a process of its own, for tests that need real connections, and a browser that looks at it."""

from jobs.browsing import address, chromium, page, stored
from transcribe.serving import running_server, server, unused_port

__all__ = ["address", "chromium", "page", "running_server", "server", "stored", "unused_port"]
