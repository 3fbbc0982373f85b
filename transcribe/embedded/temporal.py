"""The Temporal dev server as our own child, with its store in a SQLite file."""

import subprocess
import time
from pathlib import Path

from transcribe.embedded import places
from transcribe.embedded.child import spawn
from transcribe.embedded.ports import HOST, free_port
from transcribe.embedded.supervise import Service
from transcribe.embedded.temporal_binary import Say, temporal_binary

START_SECONDS = 60
# As deploy/temporal/dynamic.yaml, where the reason stands.
SETTINGS = {"matching.numTaskqueueWritePartitions": "1"}


class Temporal:
    """One server. Its address stays the same however often it is started again."""

    def __init__(self, folder: Path) -> None:
        self.store = places.make(folder / "temporal", 0o700) / "temporal.db"
        self.log = places.make(folder / "logs", 0o700) / "temporal.log"
        self.address = f"{HOST}:{free_port()}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, say: Say = print) -> None:
        """Find the program, start it, wait until it answers. Raises RuntimeError."""
        self.program = temporal_binary(say)
        self.spawn()
        self._wait()

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the server without waiting for it."""
        where = ["--ip", HOST, "--port", self.address.rsplit(":", 1)[1], "--headless", "--db-filename", str(self.store)]
        told = [word for name, value in SETTINGS.items() for word in ("--dynamic-config-value", f"{name}={value}")]
        with self.log.open("ab") as log:
            self.process = spawn(
                [self.program, "server", "start-dev", *where, *told, "--log-level", "warn"], output=log, dies_by="TERM"
            )
        return self.process

    def service(self) -> Service:
        """For the supervisor, which starts it again after a crash."""
        return Service("temporal", self.spawn, process=self.process)

    def answers(self) -> bool:
        """Whether it serves, its namespace included: the port opens before that is made."""
        asked = [str(self.program), "operator", "namespace", "describe", "default", "--address", self.address]
        quiet = subprocess.DEVNULL
        try:
            return subprocess.run(asked, stdout=quiet, stderr=quiet, timeout=5, check=False).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if self.process is None or self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Temporal did not start. Its log says why: {self.log}")
            time.sleep(0.1)
