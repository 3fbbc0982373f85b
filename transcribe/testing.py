"""The pytest plugin: settings for tests, real Postgres, the cast, and makers of rows.

The environment is set before Django reads its settings, so this module imports nothing of Django at its top.
"""

import os
import secrets
import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

NOBODYS = "postgresql://none@/none"  # what the process that only hands out tests to others calls its database

if TYPE_CHECKING:
    from accounts.models import User
    from jobs.models import Job, Worker

os.environ.setdefault("SECRET_KEY", secrets.token_hex(32))
os.environ.setdefault("TRANSCRIBE_EMBEDDED", "true")
os.environ.setdefault("DATABASE_TRANSACTION_SECONDS", "0")  # a test is one transaction, however long it takes
os.environ.setdefault("WHISPER_MODEL", str(Path(__file__).resolve().parent.parent / "worker" / "demo" / "demo.pt"))


@pytest.fixture(autouse=True)
def _no_language() -> Iterator[None]:
    """The test client leaves the language of its last request active in this thread."""
    yield
    from django.utils import translation

    translation.deactivate()


@pytest.fixture
def media(settings: Any, tmp_path: Path) -> Path:
    """An empty media root of this test's own."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


@pytest.fixture
def alice(db: None) -> "User":
    """The owner."""
    return _user("alice")


@pytest.fixture
def bob(db: None) -> "User":
    """A stranger."""
    return _user("bob")


@pytest.fixture
def charlie(db: None) -> "User":
    """Staff."""
    return _user("charlie", is_staff=True, is_superuser=True)


@pytest.fixture
def make_job(media: Path) -> Callable[..., "Job"]:
    """make_job(owner, state=..., content=b"...", **run fields) -> a job with one run and its file on disk."""

    def make(owner: "User", *, content: bytes = b"recording", title: str = "talk.mp3", **fields: Any) -> "Job":
        from jobs.models import Job, Run
        from jobs.states import FINAL

        job = Job.objects.create(owner=owner, title=title, size=len(content), sha256="0" * 64)
        job.current_run = Run.objects.create(job=job, number=1, model="demo", **fields)
        if job.current_run.state in FINAL:
            job.idle_since = job.current_run.finished_at or job.created_at
        job.save(update_fields=["current_run", "idle_since"])
        job.path.parent.mkdir(parents=True)
        job.path.write_bytes(content)
        return job

    return make


@pytest.fixture
def make_worker(db: None) -> Callable[..., "Worker"]:
    """make_worker("small", translates=False, ...) -> the row of a worker seen just now."""

    def make(model: str = "demo", **fields: Any) -> "Worker":
        from django.utils import timezone

        from jobs.models import Worker

        fields = {"host": "box", "pid": 1, "device": "cpu", "slots": 1, "seen_at": timezone.now(), **fields}
        return Worker.objects.create(model=model, **fields)

    return make


@pytest.fixture(scope="session")
def temporal_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Temporal dev server for this test run, told to the settings too."""
    from django.conf import settings

    from transcribe.embedded.child import stop
    from transcribe.embedded.temporal import Temporal

    server = Temporal(tmp_path_factory.mktemp("temporal"))
    server.start()
    settings.TEMPORAL_ADDRESS = server.address
    yield server.address
    if server.process is not None:
        stop(server.process, signal.SIGTERM, 10)


def _user(name: str, **fields: Any) -> "User":
    from accounts.models import User

    return User.objects.create_user(name, password=f"{name} has a long password", **fields)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Start the embedded Postgres where no DATABASE_URL is given; it ends with this process. Where tests run side by
    side each process has one of its own.

    A wrapper, because pytest-django reads the settings in the same hook and would be first otherwise.
    """
    if os.environ.get("DATABASE_URL", NOBODYS) == NOBODYS:
        os.environ["DATABASE_URL"] = NOBODYS if _hands_out(early_config) else _own_database()
    return (yield)


def _hands_out(config: pytest.Config) -> bool:
    """Whether this process runs no test itself. Those that do get its arguments too, and its environment."""
    return bool(getattr(config.known_args_namespace, "numprocesses", None)) and "PYTEST_XDIST_WORKER" not in os.environ


def _own_database() -> str:
    from transcribe.embedded.postgres import start_for_tests

    return start_for_tests()


def pytest_configure() -> None:
    """What tests need otherwise than production does."""
    from django.conf import settings

    settings.DATABASE_IDLE_CONNECTIONS = 0  # their database is dropped in the end

    # Passwords of the cast need no strong hash; the real one costs half a second for each test.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Static files straight from their folders, under their own names: no collectstatic before a test run.
    settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.WHITENOISE_AUTOREFRESH = settings.WHITENOISE_USE_FINDERS = True


def wait_for_a_lock() -> None:
    """Until another session waits for a row of this one."""
    from django.db import connection

    with connection.cursor() as cursor:
        for _look in range(2000):
            cursor.execute("SELECT pg_sleep(0.01)")
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            if cursor.fetchone()[0]:
                return
    raise AssertionError("Nobody waited.")
