"""For tests: a TCP proxy under which connections are reset, or the server is killed, at chosen bytes."""

import random
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

RESET = struct.pack("ii", 1, 0)  # linger for no time: the other side sees a reset, not an end


def random_places(size: int, cuts: int, kills: int, seed: int) -> dict[int, bool]:
    """Where in `size` bytes something happens, in order; whether it is a kill. The same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    places = chance.sample(range(1, size), cuts + kills)
    return dict(sorted((place, number < kills) for number, place in enumerate(places)))


class Cutter:
    """Listens on `port` and passes all on to `target`, until the bytes from clients come to the next of `places`."""

    def __init__(self, target: int, places: dict[int, bool], kill: Callable[[], None]) -> None:
        self._target, self._kill = target, kill
        self._places = list(places.items())
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cuts = self.kills = 0
        self.passed = 0  # bytes from clients, heads of requests included
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
        except OSError:
            return client.close()
        server.settimeout(None)
        back = threading.Thread(target=_pour, args=(server, client), daemon=True)
        back.start()
        with suppress(OSError):
            while data := client.recv(64 << 10):
                if not self._pass(data, server):
                    _reset(client, server)
                    break
        for end in (client, server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        back.join()
        client.close()
        server.close()

    def _pass(self, data: bytes, server: socket.socket) -> bool:
        """Whether the connection goes on."""
        with self._lock:
            self.passed += len(data)
            if not self._places or self._places[0][0] > self.passed:
                place, is_kill = None, False
            else:
                place, is_kill = self._places.pop(0)
        if place is None:
            server.sendall(data)
            return True
        server.sendall(data[: len(data) - (self.passed - place)])
        if is_kill:
            self.kills += 1
            self._kill()
        else:
            self.cuts += 1
        return False


def _pour(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(64 << 10):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def _reset(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
