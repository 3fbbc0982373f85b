"""For tests: a network between browser and server that can be slow, cut and restored, and counts what passed up."""

import socket
import threading
from contextlib import closing, suppress

PIECE = 16 << 10  # bytes
BUFFER = 64 << 10  # bytes; little waits inside the system, so what the browser calls sent has nearly arrived
SMALL = 64 << 10  # bytes of each connection that pass whatever is allowed: questions, not recordings


class Network:
    """A TCP proxy to `target` on 127.0.0.1. `allow` bounds what may still go up; nothing is timed."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port: int = self._listener.getsockname()[1]
        self.sent = 0  # bytes that went up, heads and bodies
        self._change = threading.Condition()
        self._allowance: int | None = None
        self._is_cut = False
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def allow(self, count: int | None) -> None:
        """Let so many more bytes up, then hold the rest back; None: everything."""
        with self._change:
            self._allowance = count
            self._change.notify_all()

    def cut(self) -> None:
        """Every connection breaks, and each new one too."""
        with self._change:
            self._is_cut = True
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            self._change.notify_all()

    def restore(self) -> None:
        """New connections go through again, without bounds."""
        with self._change:
            self._is_cut, self._allowance = False, None

    def close(self) -> None:
        self.cut()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                browser = self._listener.accept()[0]
                threading.Thread(target=self._carry, args=(browser,), daemon=True).start()

    def _carry(self, browser: socket.socket) -> None:
        with (
            closing(browser),
            suppress(OSError),
            closing(socket.create_connection(("127.0.0.1", self._target))) as server,
        ):
            with self._change:
                if self._is_cut:
                    return
                self._open |= {browser, server}
            down = threading.Thread(target=self._copy, args=(server, browser), daemon=True)
            down.start()
            self._copy(browser, server, up=True)
            down.join()
            with self._change:
                self._open -= {browser, server}

    def _copy(self, source: socket.socket, target: socket.socket, *, up: bool = False) -> None:
        passed = 0
        with suppress(OSError):
            while data := source.recv(PIECE):
                passed += len(data)
                if up and not self._pass(len(data), bounded=passed > SMALL):
                    break
                target.sendall(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _pass(self, count: int, *, bounded: bool) -> bool:
        """Wait until so many bytes may go up; False when the line was cut meanwhile."""
        with self._change:
            if bounded:
                self._change.wait_for(lambda: self._is_cut or self._allowance is None or self._allowance >= count)
                self._allowance = None if self._allowance is None else self._allowance - count
            self.sent += count
            return not self._is_cut
