"""For tests: the real clamd with the configuration that compose.yml mounts and a signature of our own, and one that
lies."""

import os
import re
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from transcribe.embedded.child import spawn, stop
from transcribe.embedded.places import CHECKOUT
from transcribe.embedded.ports import HOST, free_port
from worker.clamd import ScannerAway, ping

CONFIGURATION = CHECKOUT / "deploy" / "clamav" / "clamd.conf"
NAME = "Own.Eicar-Test"
START_SECONDS = 20
ELSEWHERE = "/usr/sbin:/usr/local/sbin"  # where only root's PATH leads
# https://www.eicar.org: harmless, and every scanner calls it a virus. In two parts, or scanners would take this file.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"
type Lie = Callable[[socket.socket], None]


def find_scanner() -> Path | None:
    found = shutil.which("clamd", path=f"{os.environ.get('PATH', '')}:{ELSEWHERE}")
    return Path(found) if found else None


class Clamd:
    """One clamd, on TCP and on a Unix socket. `changed` replaces lines of the configuration, by their first word."""

    def __init__(self, folder: Path, **changed: str) -> None:
        self.port, self.socket = free_port(), folder / "clamd.sock"
        self.address = f"{HOST}:{self.port}"
        self._folder = folder
        (folder / "signatures").mkdir(parents=True)
        (folder / "signatures" / "own.ndb").write_text(f"{NAME}:0:*:{EICAR.hex()}\n")
        (folder / "clamd.conf").write_text(self._configuration(changed))

    def start(self) -> None:
        program = find_scanner()
        if program is None:
            raise RuntimeError("There is no clamd. Install the package `clamav-daemon`.")
        # A copy: AppArmor lets the one in /usr/sbin read Debian's folders alone, where it is in force.
        copy = shutil.copy(program, self._folder / "clamd")
        with (self._folder / "log").open("ab") as log:
            self._process = spawn([copy, "--config-file", self._folder / "clamd.conf"], output=log)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._folder / "log").read_text()[-2000:])
            time.sleep(0.02)

    def stop(self) -> None:
        stop(self._process, signal.SIGTERM, 10)

    def _answers(self) -> bool:
        with suppress(ScannerAway):
            ping(self.address)
            return True
        return False

    def _configuration(self, changed: dict[str, str]) -> str:
        lines = CONFIGURATION.read_text()
        mine = {"TCPSocket": str(self.port), "TCPAddr": HOST, "DatabaseDirectory": str(self._folder / "signatures")}
        for word, value in {**mine, **changed}.items():
            lines, count = re.subn(rf"^{word} .*$", f"{word} {value}", lines, flags=re.M)
            if count != 1:
                raise ValueError(f"{CONFIGURATION} has no line {word}")
        lines = re.sub(r"^User .*\n", "", lines, flags=re.M)
        return f"{lines}\nLocalSocket {self.socket}\nTemporaryDirectory {self._folder}\n"


@contextmanager
def lying(lie: Lie) -> Iterator[str]:
    """The address of one that answers a ping as it should, and then does `lie` with each connection."""
    with socket.create_server((HOST, 0)) as door:
        threading.Thread(target=_serve, args=[door, lie], daemon=True).start()
        try:
            yield f"{HOST}:{door.getsockname()[1]}"
        finally:
            door.shutdown(socket.SHUT_RDWR)


def _serve(door: socket.socket, lie: Lie) -> None:
    with suppress(OSError):  # the door was shut, or its caller hung up
        while True:
            link, _ = door.accept()
            with link, suppress(OSError):
                if link.recv(6, socket.MSG_PEEK) == b"zPING\0":
                    link.sendall(b"PONG\0")
                else:
                    lie(link)
