"""What benchmarks of the web process share: a fresh database, the server as `manage.py up` starts it, and waiting."""

import os
import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from transcribe.embedded import places
from transcribe.embedded.child import leashed
from transcribe.embedded.ports import is_taken
from transcribe.embedded.postgres import Postgres
from transcribe.web import command


@contextmanager
def fresh_database(settings: str) -> Iterator[None]:
    """A Postgres of its own with our tables, which does not wait for the disk: that is not asked here."""
    postgres = Postgres(places.scratch(), durable=False)
    postgres.start()
    try:
        _prepare(postgres.url, settings)
        yield
    finally:
        postgres.stop()


def _prepare(url: str, settings: str) -> None:
    os.environ |= {
        "DATABASE_URL": url,
        "SECRET_KEY": secrets.token_hex(32),
        "TRANSCRIBE_EMBEDDED": "true",
        "MEDIA_ROOT": str(places.scratch() / "media"),
        "DJANGO_SETTINGS_MODULE": settings,
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


@dataclass
class Web:
    """The web process, which can be killed and started again."""

    port: int
    process: "subprocess.Popen[bytes] | None" = None
    peak: int = 0

    def start(self) -> None:
        self.process = subprocess.Popen(leashed(command("--port", str(self.port))), cwd=places.CHECKOUT)
        wait(lambda: is_taken(self.port), 60, "the web server")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def memory(self) -> int:
        assert self.process is not None
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def cpu(self) -> float:
        assert self.process is not None
        spent = psutil.Process(self.process.pid).cpu_times()
        return float(spent.user + spent.system)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Note the highest memory until the end of this."""
        ended = threading.Event()

        def look() -> None:
            while not ended.wait(0.2):
                self.peak = max(self.peak, self.memory())

        watching = threading.Thread(target=look)
        watching.start()
        try:
            yield
        finally:
            ended.set()
            watching.join()


def wait(happened: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.1)
