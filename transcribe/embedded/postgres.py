"""A real Postgres as our own child: Unix socket only, and nobody but this user gets in.

Access is by `peer`: the kernel tells the server which account connects, and the map lets in the one that runs the
stack. So there is no password that could leak, and other users are refused even if they could see the socket.
"""

import atexit
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import psycopg

from transcribe.embedded import places
from transcribe.embedded.account import groups_of, server_account
from transcribe.embedded.binaries import postgres_folder
from transcribe.embedded.child import leashed, spawn, stop
from transcribe.embedded.supervise import Service

ROLE = "transcribe"
PORT = "5432"  # only a part of the socket's name; said on both sides, because PGPORT may be set
SOCKET_LIMIT = 107 - len("/.s.PGSQL.5432.lock")  # bytes of a socket's path the kernel takes
START_SECONDS = 60


class Postgres:
    """One server with its data in `folder`. `url` is good as long as this object's server runs or runs again."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """`durable=False`: lose data in a crash of the machine, for tests only."""
        self.account = server_account()
        self.folder = self._home(folder)
        self.data = self.folder / "postgres"
        self.log = places.make(self.folder / "logs", 0o700) / "postgres.log"
        self.socket = self._socket()
        self._rules, self._names = self.folder / "pg_hba.conf", self.folder / "pg_ident.conf"
        self.durable = durable
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self._url(ROLE)

    def start(self) -> None:
        """Make the data folder if need be, start, wait until it answers, make the database. Raises RuntimeError."""
        self.programs = postgres_folder(self.account)
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self._allow()
        self._wait_for_the_last_one()
        self.spawn()
        self._wait()

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the server without waiting for it."""
        with self.log.open("ab") as log:
            self.process = spawn(
                [self.programs / "postgres", "-D", self.data, *self._options()],
                output=log,
                environment=_environment(),
                dies_by="INT",
                user=self._user,
            )
        return self.process

    def service(self) -> Service:
        """For the supervisor, which starts it again after a crash."""
        return Service("postgres", self.spawn, signal.SIGINT, 15, self.process)

    def stop(self) -> None:
        """Fast shutdown: clients are cut off, data is kept."""
        if self.process is not None:
            stop(self.process, signal.SIGINT, 15)
        if self.socket.parent != self.folder:
            shutil.rmtree(self.socket, ignore_errors=True)

    @property
    def _user(self) -> str | None:
        return self.account.pw_name if places.is_root() else None

    def _url(self, database: str) -> str:
        return f"postgresql://{ROLE}@/{database}?host={quote(str(self.socket))}&port={PORT}"

    def _options(self) -> list[str]:
        chosen = {
            "listen_addresses": "",
            "port": PORT,
            "unix_socket_directories": f'"{self.socket}"',  # quoted: the setting is a list, and paths may hold commas
            "unix_socket_permissions": "0700",
            "hba_file": str(self._rules),
            "ident_file": str(self._names),
            "max_connections": "200",
            # A row that is refused is quoted in its log else, and the statement with it: both hold transcripts.
            "log_error_verbosity": "terse",
            "log_min_error_statement": "panic",
            "fsync": "on" if self.durable else "off",
            "full_page_writes": "on" if self.durable else "off",
        }
        return [part for name, value in chosen.items() for part in ("-c", f"{name}={value}")]

    def _home(self, folder: Path) -> Path:
        """`folder`, or root's folder for it when the server's account cannot walk there."""
        places.make(folder)
        if not places.is_root():
            return folder
        near = places.reachable(folder, self.account.pw_uid, groups_of(self.account), wanted=1)
        return folder if near else places.make(places.keyed(folder))

    def _socket(self) -> Path:
        """Beside the data, or in a short folder when that path is too long for a socket. Always the same for
        one data folder, so that other commands find it. Refused when someone else has made it before us."""
        path = self.folder / "run"
        if len(str(path).encode()) > SOCKET_LIMIT:
            path = Path(tempfile.gettempdir()) / f"transcribe-{places.keyed(self.folder).name}"
        self._own(path)
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_mode & 0o077 or status.st_uid != self.account.pw_uid:
            raise RuntimeError(f"{path} is not a folder of {self.account.pw_name} alone. Remove it, then start again.")
        return path

    def _own(self, path: Path) -> None:
        """Make a folder that belongs to the server's account alone."""
        if path.exists():
            return
        path.mkdir(mode=0o700)
        if places.is_root():
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def _initialise(self) -> None:
        """initdb in a folder beside, renamed when whole: a start that is cut off leaves nothing half made."""
        part = self.folder / "postgres.part"
        shutil.rmtree(part, ignore_errors=True)
        self._own(part)
        options = ["-U", ROLE, "-A", "peer", "-E", "UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
        sync = [] if self.durable else ["--no-sync"]
        command = leashed([self.programs / "initdb", "-D", part, *options, *sync], user=self._user)
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", env=_environment())
        if done.returncode:
            raise RuntimeError(f"Postgres could not make its data folder {self.data}: {done.stderr.strip()}")
        part.rename(self.data)

    def _allow(self) -> None:
        """Let the account that runs the stack in, and no other. Both files lie outside the server's data: as root we
        write nothing where that account could have put a link."""
        names = f'stack "{places.account_name()}" {ROLE}'
        for path, line in ((self._rules, "local all all peer map=stack"), (self._names, names)):
            path.write_text(line + "\n")
            path.chmod(0o644)

    def _wait_for_the_last_one(self) -> None:
        """After a kill of the stack, the server of that life takes a moment to write all down and end."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                pid = (self.data / "postmaster.pid").read_text().split()[0]
                owner = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except (OSError, IndexError):
                return
            if bytes(self.data) not in owner:
                return
            time.sleep(0.05)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if self.process is None or self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Postgres did not start. Its log says why: {self.log}")
            time.sleep(0.05)
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [ROLE]).fetchone():
                connection.execute(f"CREATE DATABASE {ROLE}")

    def answers(self) -> bool:
        """Whether it takes connections now."""
        try:
            psycopg.connect(self._url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def _environment() -> dict[str, str]:
    """Ours stays out: it holds secrets, and PG* would change the server. A few Pythons need the library path."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def start_for_tests() -> str:
    """DATABASE_URL of a new, empty server that ends, with its data, with this process. Call from the main thread."""
    server = Postgres(places.scratch(), durable=False)
    server.start()
    atexit.register(server.stop)
    return server.url
