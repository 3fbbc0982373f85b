"""Ports on this machine."""

import secrets
import socket

HOST = "127.0.0.1"
ASKED_FOR = range(20_000, 32_768)


def free_port() -> int:
    """A port nobody listens on now, below those that the system gives to programs that ask for any. Temporal's dev
    server asks for four: it took the one chosen for the web, and answered there with 404."""
    while is_taken(port := secrets.choice(ASKED_FOR)):
        pass
    return port


def is_taken(port: int) -> bool:
    """Whether another program listens there. Not fooled by closed connections that still linger."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False
