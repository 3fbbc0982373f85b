"""The web server as a process of its own, for tests that need real connections."""

from transcribe.serving import running_server, server, unused_port

__all__ = ["running_server", "server", "unused_port"]
