"""One loop over the children: a crash is said and answered by a new start, later and later if it goes on."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from transcribe.embedded.child import stop, sweep

BEAT_SECONDS = 0.2
FIRST_DELAY, LONGEST_DELAY = 1.0, 30.0
STEADY_SECONDS = 60.0  # a child that lived so long starts with the first delay again


@dataclass
class Service:
    """A child: how it starts, how it is asked to stop, and how long it may take."""

    name: str
    spawn: Callable[[], subprocess.Popen[bytes]]
    asked_by: signal.Signals = signal.SIGTERM
    seconds: float = 10
    process: subprocess.Popen[bytes] | None = None
    born: float = 0
    delay: float = 0
    due: float | None = None  # when it starts again
    held: bool = field(default=False)  # stopped on purpose: not started again


class Supervisor:
    """Starts services in order, keeps them alive from a thread of its own, stops them in the opposite order."""

    def __init__(self, say: Callable[[str], None], changed: Callable[[], None] = lambda: None) -> None:
        self.services: dict[str, Service] = {}
        self._say, self._changed = say, changed
        self._lock = threading.RLock()
        self._ending, self._ended = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, service: Service) -> None:
        """Start it, or take it over when its process runs already."""
        with self._lock:
            self.services[service.name] = service
            if service.process is None:
                self._start(service)
            service.born = time.monotonic()

    def watch(self) -> None:
        """Begin to restart what dies. The thread must outlive the children it starts: their leash hangs on it."""
        self._thread = threading.Thread(target=self._loop, name="supervisor", daemon=True)
        self._thread.start()

    def kill(self, name: str) -> None:
        """SIGKILL, as a crash would."""
        process = self.services[name].process
        if process is not None:
            process.kill()

    def hold(self, name: str) -> None:
        """Stop it and leave it stopped."""
        with self._lock:
            self.services[name].held = True
            self._stop(self.services[name])

    def release(self, name: str) -> None:
        """Start what was held."""
        with self._lock:
            self.services[name].held = False
            self._start(self.services[name])

    def end(self) -> None:
        """Stop all, last started first."""
        self._ending.set()
        with self._lock:
            for service in reversed(self.services.values()):
                self._stop(service)
        self._ended.set()  # only now: children started by the thread die with it
        if self._thread is not None:
            self._thread.join()

    def hurry(self) -> None:
        """Kill all at once; `end` still runs and finds them dead."""
        for service in self.services.values():
            if service.process is not None and service.process.poll() is None:
                sweep(service.process.pid)

    def _loop(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            with self._lock:
                for service in self.services.values():
                    if not service.held and not self._ending.is_set():
                        self._look(service)

    def _look(self, service: Service) -> None:
        now = time.monotonic()
        if service.due is not None:
            if now >= service.due:
                self._start_again(service)
        elif service.process is not None and service.process.poll() is not None:
            steady = now - service.born > STEADY_SECONDS
            service.delay = FIRST_DELAY if steady or not service.delay else min(service.delay * 2, LONGEST_DELAY)
            service.due = now + service.delay
            sweep(service.process.pid)
            how = _how(service.process.returncode)
            self._say(f"{service.name} ended unexpectedly ({how}). It starts again in {service.delay:.0f} s.")

    def _start_again(self, service: Service) -> None:
        """This thread must not end: its children would end with it."""
        try:
            self._start(service)
        except OSError as error:  # no memory, or no process to be had
            service.due = time.monotonic() + LONGEST_DELAY
            self._say(f"{service.name} could not be started ({error.strerror}). Next try in {LONGEST_DELAY:.0f} s.")

    def _start(self, service: Service) -> None:
        service.due = None
        service.born = time.monotonic()
        service.process = service.spawn()
        self._changed()

    def _stop(self, service: Service) -> None:
        if service.process is not None:
            stop(service.process, service.asked_by, service.seconds)
            sweep(service.process.pid)


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
