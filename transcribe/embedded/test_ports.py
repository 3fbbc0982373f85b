"""Ports for our own servers: none that another program is given, or has."""

import socket
from pathlib import Path

import pytest

from transcribe.embedded import ports


def test_never_one_that_the_system_gives_to_whoever_asks_for_any() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert max(ports.free_port() for _ in range(50)) < first


def test_never_one_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    port = ports.free_port()
    with socket.create_server((ports.HOST, port)):
        monkeypatch.setattr(ports, "ASKED_FOR", [port, ports.free_port()])
        assert port not in {ports.free_port() for _ in range(20)}
