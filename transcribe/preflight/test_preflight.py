"""Every look, made to fail by what it looks at: a real database, folder or kernel that is not as it should be."""

import errno
import json
import os
import secrets
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from accounts.models import User
from jobs.models import Checkpoint, Job
from transcribe import refusing
from transcribe.embedded.ports import free_port
from transcribe.preflight import clock, configuration, disk, engine, folder, postgres, sandbox, scanner, temporal
from transcribe.preflight.findings import Finding, Result, looked
from transcribe.serving import ROOT, database_of_this_run
from worker import model
from worker.engine import machine

OK, WARNING, FAILED = Result


def results(found: Iterator[Finding]) -> list[Result]:
    """Each with a fix where one is wanted."""
    listed = list(found)
    assert all(bool(finding.fix) == (finding.result != OK) for finding in listed)
    return [finding.result for finding in listed]


def only(found: Iterator[Finding]) -> tuple[Result, str]:
    (finding,) = list(found)
    return finding.result, finding.said


def test_all_is_well_here(db: None, temporal_address: str, media: Path) -> None:
    said = StringIO()
    call_command("preflight", json=True, stdout=said)
    told = json.loads(said.getvalue())
    assert (told["role"], told["counts"]["failed"]) == ("all", 0)
    checks = [each["check"] for each in told["findings"]]
    assert {"database", "temporal", "model", "gpu", "decode child", "identity provider", "clock"} <= set(checks)
    assert told["findings"][0]["fix"] == "Leave TRANSCRIBE_EMBEDDED out in production."


def test_the_command_ends_with_1_says_what_to_do_and_no_secret(tmp_path: Path) -> None:
    password = secrets.token_hex(8)
    given = {"DATABASE_URL": f"postgresql://x:{password}@127.0.0.1:{free_port()}/x", "MEDIA_ROOT": str(tmp_path)}
    done = manage("preflight", "--role", "web", **given)
    assert done.returncode == 1
    assert "failed   database: The database does not answer:" in done.stdout
    assert "         To mend it: Start Postgres, or correct DATABASE_URL." in done.stdout
    assert "warning  media: It was not looked at: the database is asked for it." in done.stdout
    assert "temporal" not in done.stdout
    assert password not in done.stdout + done.stderr
    assert "CommandError: 1 failed." in done.stderr


def manage(*words: str, **given: str) -> "subprocess.CompletedProcess[str]":
    line = [sys.executable, "manage.py", *words]
    return subprocess.run(
        line, cwd=ROOT, env=os.environ | given, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_look_that_breaks_off_is_a_failure_and_the_others_go_on() -> None:
    def broken() -> Iterator[Finding]:
        raise ZeroDivisionError

    found = list(looked([("one", broken), ("two", lambda: disk.room())]))
    assert [(name, finding.result) for name, finding in found] == [("one", FAILED), ("two", OK)]


# --- The database ---------------------------------------------------------------------------------------------------


def test_migrations_must_be_those_of_this_code(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert only(postgres.database())[0] == OK
    MigrationRecorder(connection).record_applied("jobs", "9999_from_the_future")
    assert only(postgres.database()) == (
        WARNING, "jobs.9999_from_the_future is applied, and this code does not know it.",
    )  # fmt: skip
    MigrationRecorder(connection).record_unapplied("jobs", "9999_from_the_future")
    MigrationRecorder(connection).record_unapplied("jobs", "0001_initial")
    assert only(postgres.database()) == (FAILED, "jobs.0001_initial is not applied.")
    monkeypatch.setattr(postgres, "OLDEST", 99)
    assert results(postgres.database()) == [FAILED, FAILED]


def test_a_database_without_unicode_and_tables_is_refused(transactional_db: None) -> None:
    url = urlsplit(database_of_this_run())
    name = f"latin_{os.getpid()}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    try:
        done = manage("preflight", "--role", "web", "--json", DATABASE_URL=urlunsplit(url._replace(path=f"/{name}")))
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    said = [each["said"] for each in json.loads(done.stdout)["findings"] if each["check"] == "database"]
    assert (done.returncode, said[0]) == (1, "The database stores text as SQL_ASCII.")
    assert said[1].endswith("migrations, accounts.0001_initial the first, are not applied.")


# --- The folder and its disk ----------------------------------------------------------------------------------------


def test_the_folder_is_there_can_be_written_and_is_the_one_that_others_use(
    settings: Any, media: Path, tmp_path: Path, alice: User, make_job: Callable[..., Job]
) -> None:
    assert results(folder.media()) == [OK]  # the first upload makes it
    settings.EMBEDDED = False
    assert only(folder.media()) == (FAILED, f"There is no folder at {media}.")
    media.mkdir()
    assert "There is no recording yet" in only(folder.media())[1]
    jobs = [make_job(alice), make_job(alice)]
    make_job(alice, state="failed", reason="no_audio").path.unlink()  # was not kept
    assert only(folder.media()) == (OK, f"{media} can be written, and holds the newest recordings.")
    jobs[0].path.unlink()
    assert only(folder.media()) == (WARNING, f"1 of the newest 2 recordings are not in {media}.")
    settings.MEDIA_ROOT = tmp_path
    assert only(folder.media()) == (FAILED, f"None of the newest 2 recordings lies in {tmp_path}.")
    settings.MEDIA_ROOT = "/proc/sys"
    assert only(folder.media())[0] == FAILED
    assert not list(media.glob(".preflight*"))


def test_file_systems_that_can_too_little_are_told(tmp_path: Path) -> None:
    program = f"from transcribe.preflight.folder import tried; print(tried(Path({str(tmp_path)!r})))"
    no_links = {"link": errno.EPERM, "linkat": errno.EPERM}
    well, no_lock, no_link = refusing.run(f"from pathlib import Path; {program}", [{}, {"flock": 0}, no_links])
    assert well == "None"
    assert "Locks have no effect" in no_lock
    assert "has no hard links" in no_link


def test_the_largest_recording_must_fit(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "not" / "there"
    settings.UPLOAD_LIMIT_BYTES = settings.DISK_RESERVE_BYTES = settings.DURATION_LIMIT_SECONDS = 1
    assert results(disk.room()) == [OK]
    settings.DURATION_LIMIT_SECONDS = 1 << 50
    assert results(disk.room()) == [WARNING]
    settings.UPLOAD_LIMIT_BYTES = 1 << 60
    assert results(disk.room()) == [FAILED]


# --- Settings, secrets, clocks --------------------------------------------------------------------------------------


def test_settings_that_production_must_not_have_are_failures(settings: Any) -> None:
    settings.EMBEDDED, settings.DEBUG, settings.ALLOWED_HOSTS = False, True, ["*"]
    found = list(configuration.complaints())
    assert {"DEBUG is on in production.", "ALLOWED_HOSTS allows every name."} <= {
        finding.said for finding in found if finding.result == FAILED
    }


def test_secrets_are_hard_to_guess_distinct_and_closed(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EMBEDDED, settings.SECRET_KEY = False, secrets.token_hex(32)
    settings.OIDC_CLIENT_SECRET = secrets.token_hex(32)
    database = settings.DATABASES["default"]
    monkeypatch.setitem(database, "PASSWORD", secrets.token_hex(32))
    kept = "SECRET_KEY, OIDC_CLIENT_SECRET, the password of DATABASE_URL."
    assert only(configuration.secrets()) == (OK, f"Hard to guess, and each its own: {kept}")
    settings.OIDC_CLIENT_SECRET = settings.SECRET_KEY
    assert only(configuration.secrets()) == (FAILED, "SECRET_KEY and OIDC_CLIENT_SECRET are the same.")
    settings.OIDC_CLIENT_SECRET = secrets.token_hex(32)
    monkeypatch.setitem(database, "PASSWORD", "postgres")
    assert only(configuration.secrets()) == (FAILED, "the password of DATABASE_URL can be guessed.")
    monkeypatch.setitem(database, "PASSWORD", "")
    file = tmp_path / "key"
    file.touch(0o640)
    monkeypatch.setenv("SECRET_KEY_FILE", str(file))
    assert results(configuration.secrets()) == [OK]
    file.chmod(0o644)
    assert only(configuration.secrets()) == (WARNING, f"Everybody on this machine can read {file}.")


@pytest.mark.parametrize(("seconds", "result"), [(0, OK), (-5, WARNING), (-3600, FAILED), (3600, FAILED)])
def test_the_database_s_clock(db: None, seconds: int, result: Result) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA lying")
        told = f"SELECT pg_catalog.clock_timestamp() + interval '{seconds} seconds'"
        cursor.execute(f"CREATE FUNCTION lying.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $${told}$$")
        cursor.execute("SET LOCAL search_path TO lying, public, pg_catalog")
    assert results(clock.database()) == [result]


# --- What a worker needs --------------------------------------------------------------------------------------------


def test_temporal_answers_and_has_the_namespace(temporal_address: str, settings: Any) -> None:
    assert only(temporal.server())[0] == OK
    settings.TEMPORAL_NAMESPACE = "nobody-made-this"
    assert only(temporal.server()) == (FAILED, "Temporal has no namespace nobody-made-this.")
    settings.TEMPORAL_ADDRESS = f"127.0.0.1:{free_port()}"
    assert only(temporal.server()) == (FAILED, f"Temporal does not answer at {settings.TEMPORAL_ADDRESS}.")


def test_weights_are_there_whole_and_the_ones_recorded(
    db: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.pt"
    settings.MODELS = {"mine": str(file)}
    assert only(engine.checkpoints())[0] == FAILED
    file.write_bytes(b"weights")
    assert only(engine.checkpoints())[0] == OK
    Checkpoint.objects.create(name="mine", sha256="0" * 64)
    assert "not those recorded at the first load" in only(engine.checkpoints())[1]
    settings.MODELS = {"mine": "/proc/self/mem", "demo": str(settings.DEMO_CHECKPOINT)}
    Checkpoint.objects.create(name="demo", sha256="0" * 64)  # of the version before
    assert results(engine.checkpoints()) == [FAILED, OK]
    monkeypatch.setattr(model, "published", lambda: {"base": f"https://nowhere.test/{'0' * 64}/base.pt"})
    settings.MODELS, settings.MODEL_FOLDER = {"base": "base", "no": "no"}, str(tmp_path)
    assert results(engine.checkpoints()) == [WARNING, FAILED]
    (tmp_path / "base.pt").write_bytes(b"half of it")
    assert results(engine.checkpoints()) == [FAILED, FAILED]


def test_a_gpu_that_is_asked_for_must_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "DEVICES", tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # torch sees none, whatever there is
    machine.probe.cache_clear()
    assert results(engine.graphics(wanted=False)) == [OK]
    assert only(engine.graphics(wanted=True)) == (FAILED, "No GPU is on this machine, and one was asked for.")
    (tmp_path / "nvidia0").touch()
    machine.probe.cache_clear()
    assert results(engine.graphics(wanted=False)) == [WARNING]
    assert only(engine.graphics(wanted=True)) == (FAILED, "This machine has a GPU, and torch does not see it.")
    machine.probe.cache_clear()


def test_the_decode_child_is_shut_in_for_real() -> None:
    assert results(sandbox.decode_child()) == [OK]


def test_a_kernel_that_cannot_shut_it_in_is_told() -> None:
    program = "from transcribe.preflight.sandbox import decode_child; f, = decode_child(); print(f.result, f.said)"
    cases = [{"create_ruleset": errno.ENOSYS}, {"restrict_self": errno.EPERM}, {"restrict_self": 0}]
    missing, refused, without_effect = refusing.run(program, cases, TRANSCRIBE_EMBEDDED="false")
    assert missing.startswith("failed This kernel has no Landlock")
    assert refused == "failed A process could not shut itself in."
    assert without_effect == "failed A process that was shut in could still open a file or a socket."


class Answering(socketserver.StreamRequestHandler):
    """What the server's `said` says, once something was asked."""

    def handle(self) -> None:
        self.request.recv(100)
        assert isinstance(self.server, Answerer)
        self.wfile.write(self.server.said)


class Answerer(socketserver.TCPServer):
    said = b"PONG\0"


def test_the_virus_scanner_answers_where_one_is_set(settings: Any) -> None:
    assert only(scanner.clamd())[0] == OK
    with Answerer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        settings.CLAMD_ADDRESS = f"127.0.0.1:{server.server_address[1]}"
        assert only(scanner.clamd()) == (OK, f"clamd answers at {settings.CLAMD_ADDRESS}.")
        server.said = b"220 mail.test\0"
        assert only(scanner.clamd())[0] == FAILED
        server.shutdown()
    found = only(scanner.clamd())
    assert (found[0], found[1].endswith("recordings wait for it.")) == (FAILED, True)
    settings.SCAN_POLICY = "best_effort"
    found = only(scanner.clamd())
    assert (found[0], found[1].endswith("recordings go on unscanned.")) == (WARNING, True)


def test_a_gpu_flag_reaches_its_look(
    db: None, temporal_address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(machine, "DEVICES", tmp_path)
    machine.probe.cache_clear()
    with pytest.raises(CommandError, match="1 failed"):
        call_command("preflight", "--role", "worker", "--gpu", stdout=StringIO())
    machine.probe.cache_clear()
