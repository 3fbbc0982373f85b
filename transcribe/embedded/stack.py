"""The embedded stack: Postgres, Temporal, model, assets, tables, first user, worker, web. For trials and tests."""

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NoReturn

import psycopg

from transcribe.embedded import assets, environment, places
from transcribe.embedded.child import leashed, spawn
from transcribe.embedded.ports import HOST, free_port, is_taken
from transcribe.embedded.postgres import Postgres
from transcribe.embedded.supervise import Service, Supervisor
from transcribe.embedded.temporal import Temporal
from transcribe.web import command as web_command
from worker.model import ModelMissing, choose

DEMO = places.CHECKOUT / "worker" / "demo" / "demo.pt"
WEB_SECONDS, WORKER_SECONDS = 60, 600
SKIP_CHECKS = "--skip-checks"  # for commands on a stack that runs: they load all pages (0.4 s)
TRIES = 5  # a tenth of a second apart
Say = Callable[[str], None]


class StackError(Exception):
    """The stack cannot start; the text says why and what to do."""


class Stack:
    """One stack on one data folder. `start` returns when it is ready; children that crash are started again.

    `port` 0 takes a free one. `given` holds what the operator chose of environment.CHOICES: a DATABASE_URL or
    TEMPORAL_ADDRESS given is used instead of a server of our own. Start and stop from a thread that outlives the stack.
    """

    def __init__(
        self, data: Path, *, port: int = 0, given: Mapping[str, str] | None = None, web: bool = True, say: Say = print
    ) -> None:
        self.data, self.web, self.say = data, web, say
        self.port = port or free_port()
        self.given = dict(given or {})
        self.postgres: Postgres | None = None
        self.temporal: Temporal | None = None
        self.link = ""  # signs the first user in, once
        self.supervisor = Supervisor(say, self._write_state)
        self._values: dict[str, str] = {}
        self._lock: IO[str] | None = None

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"

    def environment(self) -> dict[str, str]:
        """What a Django command needs in order to work on this stack, the caller's environment included."""
        files = {f"{name}_FILE" for name in self._values}  # they would win over the values
        return {**{name: value for name, value in os.environ.items() if name not in files}, **self._values}

    def start(self) -> None:
        """Raises StackError, with nothing left running."""
        self._take_lock()
        try:
            self._start()
        except (RuntimeError, ModelMissing) as error:
            self.stop()
            raise StackError(str(error)) from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop every child, last started first; the data stays."""
        self.supervisor.end()
        if self.postgres is not None:
            self.postgres.stop()
        environment.state_file(self.data).unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()

    def pid(self, name: str) -> int:
        """Of a child: postgres, temporal, worker or web."""
        process = self.supervisor.services[name].process
        if process is None:
            raise StackError(f"{name} does not run.")
        return process.pid

    def kill(self, name: str) -> None:
        """SIGKILL to a child; it is started again after a second."""
        self.supervisor.kill(name)

    def hold(self, name: str) -> None:
        """Stop a child and leave it stopped until `release`."""
        self.supervisor.hold(name)

    def release(self, name: str) -> None:
        self.supervisor.release(name)

    def command(self, *arguments: str) -> str:
        """Run a `manage.py` command on this stack; its standard output. Raises RuntimeError with what it said."""
        done = subprocess.run(
            leashed([sys.executable, places.CHECKOUT / "manage.py", *arguments]),
            cwd=places.CHECKOUT, env=self.environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"`manage.py {arguments[0]}` failed:\n{(done.stdout + done.stderr).strip()[-2000:]}")
        return done.stdout

    def _start(self) -> None:
        if self.web and self._stays_taken():
            raise RuntimeError(f"Port {self.port} is taken by another program. Choose another with --port.")
        self._values = {
            "TRANSCRIBE_EMBEDDED": "true",
            "DATA_DIR": str(self.data),
            "SECRET_KEY": self.given.get("SECRET_KEY") or environment.secret_key(self.data),
            "PYTHONUNBUFFERED": "1",
        }
        places.make(self.data / "media", 0o700)
        self._start_postgres()
        self._start_temporal()
        self._choose_model()
        with self._step("Assets"):
            assets.build(self.say)
            assets.collect(self.data / "static", self.environment())
        with self._step("Migrations"):
            self.command("migrate", "--no-input", "--verbosity", "0")
        self._start_worker()
        with self._step("First user"):
            first = json.loads(self.command("first_user"))
            self._tell_password(first)
        if self.web:
            self._start_web()
        with self._step("Worker"):
            self._wait("worker", self._worker_answers, WORKER_SECONDS)
        self.supervisor.watch()
        self._welcome(first["username"], first["link"])

    def _stays_taken(self) -> bool:
        """A stack that was killed a moment ago may still be letting go of its port."""
        for _ in range(TRIES):
            if not is_taken(self.port):
                return False
            time.sleep(0.1)
        return True

    def _start_postgres(self) -> None:
        if url := self.given.get("DATABASE_URL"):
            self._values["DATABASE_URL"] = url
            return
        with self._step("Postgres"):
            self.postgres = Postgres(self.data)
            self._values["DATABASE_URL"] = self.postgres.url
            self.postgres.start()
            self.supervisor.add(self.postgres.service())

    def _start_temporal(self) -> None:
        if address := self.given.get("TEMPORAL_ADDRESS"):
            self._values["TEMPORAL_ADDRESS"] = address
            return
        with self._step("Temporal"):
            self.temporal = Temporal(self.data)
            self._values |= {"TEMPORAL_ADDRESS": self.temporal.address, "TEMPORAL_NAMESPACE": "default"}
            self.temporal.start(self.say)
            self.supervisor.add(self.temporal.service())

    def _choose_model(self) -> None:
        with self._step("Model") as note:
            folder = os.environ.get("MODEL_FOLDER")
            several = self.given.get("WHISPER_MODELS", "")
            asked = self.given.get("WHISPER_MODEL") or several.partition(",")[0].strip()
            path, name = choose(asked, DEMO, Path(folder) if folder else None, self.say)
            self._values |= {"WHISPER_MODEL": str(path), "MODEL_NAME": name, "WHISPER_MODELS": several}
            note(name)

    def _start_worker(self) -> None:
        """It loads its model while the next steps run, and is waited for at the end."""
        command = [sys.executable, str(places.CHECKOUT / "manage.py"), "worker"]
        self.supervisor.add(Service("worker", lambda: self._spawn("worker", command), seconds=40))

    def _start_web(self) -> None:
        command = web_command("--host", HOST, "--port", str(self.port))
        with self._step("Web"):
            self.supervisor.add(Service("web", lambda: self._spawn("web", command)))
            self._wait("web", lambda: is_taken(self.port), WEB_SECONDS)

    def _spawn(self, name: str, command: Sequence[str | Path]) -> subprocess.Popen[bytes]:
        """Its lines appear on the console behind its name."""
        process = spawn(command, output=subprocess.PIPE, environment=self.environment(), folder=places.CHECKOUT)
        threading.Thread(target=self._pass_on, args=(name, process.stdout), daemon=True).start()
        return process

    def _pass_on(self, name: str, lines: IO[bytes]) -> None:
        with lines:
            for line in lines:
                self.say(f"{name:<9}| {line.decode(errors='replace').rstrip()}")

    def _wait(self, name: str, ready: Callable[[], bool], seconds: int) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            process = self.supervisor.services[name].process
            if process is None or process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The {name} process did not start. The lines above say why.")
            time.sleep(0.1)

    def _worker_answers(self) -> bool:
        """It has written its row: model loaded, Temporal reached."""
        query = "SELECT 1 FROM jobs_worker WHERE pid = %s AND seen_at > now() - interval '1 minute'"
        with psycopg.connect(self._values["DATABASE_URL"]) as connection:
            return connection.execute(query, [self.pid("worker")]).fetchone() is not None

    def _tell_password(self, first: dict[str, str]) -> None:
        """As soon as it is made: a start that is cut off later must not take it along, it is stored nowhere."""
        if first["password"]:
            self.say(f"First user {first['username']}, password {first['password']} (shown this once, so keep it)")

    def _welcome(self, username: str, link: str) -> None:
        """In the end, where people look."""
        self._write_state()
        if self.web:
            self.link = self.address + link
            self.say(f"Sign in as {username} with one click: {self.link}")
            self.say(f"Ready: {self.address}")

    @contextmanager
    def _step(self, title: str) -> Iterator[Callable[[str], None]]:
        """Say how long it took, and the note if one was left."""
        notes: list[str] = []
        start = time.monotonic()
        yield notes.append
        self.say(" ".join([f"{title:<11}{time.monotonic() - start:5.1f} s", *notes]))

    def _take_lock(self) -> None:
        path = environment.lock_file(places.make(self.data))
        self._lock = path.open("a")
        for left in reversed(range(TRIES)):  # another command may be looking at this moment
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not left:
                    self._refuse_second_start()
                time.sleep(0.1)
        environment.write_state(self.data, {"pid": os.getpid(), "address": "", "children": {}, "environment": {}})

    def _refuse_second_start(self) -> NoReturn:
        if self._lock is not None:
            self._lock.close()
        state = environment.running(self.data) or {}
        where = state.get("address") or f"process {state.get('pid', 'unknown')}, without web pages yet"
        raise StackError(f"It runs already: {where}.")

    def _write_state(self) -> None:
        """For other commands and for the second start. The secret key has a file of its own."""
        values = {name: value for name, value in self._values.items() if name != "SECRET_KEY"}
        children = {s.name: s.process.pid for s in self.supervisor.services.values() if s.process is not None}
        state: dict[str, Any] = {"pid": os.getpid(), "address": self.address if self.web else "", "children": children}
        environment.write_state(self.data, {**state, "environment": values})
