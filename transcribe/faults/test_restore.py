"""A backup made while recordings are transcribed, restored on an empty machine by the commands of docs/operating.md."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from transcribe.drill import Drill
from transcribe.embedded import places
from transcribe.embedded.postgres import Postgres
from transcribe.faults.tools import unfinished

pytestmark = [pytest.mark.alone, pytest.mark.faults]
OTHERS = ["authentik", "postgres"]  # roles of the containers that the stack for tests has not
# Behind the last dump it waits, so that the test can do something between that and the copy of the recordings.
DUMP = """#!/bin/sh
{programs}/pg_dump "$@" || exit 1
case "$*" in *authentik*) touch {folder}/dumped; until [ -e {folder}/go ]; do sleep 0.1; done ;; esac
"""
# `docker compose` as far as the documented commands go: the servers run here.
DOCKER = """#!/bin/sh
case "$2" in
  up) ;;
  exec) shift 4; exec {programs}/"$@" ;;
  run) from=${{6%:/from:ro}}; shift 9; cp "$1" "$from/." {media}/ ;;
esac
"""


def test_what_was_dumped_is_there_again_and_goes_on(
    drill: Drill, calm: str, recording: Path, minute: Path, tmp_path: Path
) -> None:
    deleted = drill.upload(minute, language="de")
    assert drill.wait_for_end(deleted) == ("succeeded", "")
    unfinished(drill)
    begun = drill.upload(recording)
    drill.wait_for_windows(begun, 1)
    with backing_up(drill, tmp_path) as backup:
        later = drill.upload(minute, language="de")
        drill.press(f"/jobs/{deleted}/delete/")
    heard = drill.text(calm)
    for job in (begun, later):
        drill.press(f"/jobs/{job}/cancel/")
    start = time.monotonic()
    elsewhere = Drill(restore(backup, places.scratch()))
    elsewhere.start()
    try:
        print(f"restored and started in {time.monotonic() - start:.0f} s")
        assert elsewhere.wait_for_end(begun) == ("succeeded", "")
        assert elsewhere.text(calm) == heard
        assert elsewhere.done_windows(begun) == len(elsewhere.attempts(begun)) > 20
        # Its file went before it was copied: its page says so, and who deleted it may do so again.
        assert elsewhere.faults("--pause", "1") == [("file_missing", [deleted])]
        assert "minute.mp3" in elsewhere.get(f"/jobs/{deleted}/")
        elsewhere.press(f"/jobs/{deleted}/delete/")
        assert elsewhere.faults("--grace", "0", "--pause", "1") == [
            ("folder_without_row", [later])
        ]  # newer than the dump: a stray
    finally:
        elsewhere.stop()


@contextmanager
def backing_up(drill: Drill, folder: Path) -> Iterator[Path]:
    """The body runs between the dump and the copy of the recordings; what is given is complete behind it."""
    assert drill.stack.postgres is not None
    let_in(drill.stack.postgres)
    secrets, backups = folder / "secrets", folder / "backups"
    secrets.mkdir()
    for database in ("transcribe", "authentik"):
        (secrets / database).write_text("the stack for tests asks for none")
    given = {
        "MEDIA_FOLDER": str(drill.stack.data / "media"),
        "BACKUP_FOLDER": str(backups),
        "SECRETS_FOLDER": str(secrets),
    }
    environment = tools(folder, drill.stack.postgres, pg_dump=DUMP) | given
    script = places.CHECKOUT / "deploy" / "backup.sh"
    with subprocess.Popen(["sh", script], env=environment, stdout=subprocess.PIPE, text=True) as process:
        drill.wait((folder / "dumped").exists, "the dump", 120)
        yield backups
        (folder / "go").touch()
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert Path(said.strip()).parent == backups


def restore(backups: Path, folder: Path) -> Path:
    """The documented commands, word for word; the data folder of the stack to start."""
    text = (places.CHECKOUT / "docs" / "operating.md").read_text()
    [block] = re.findall(r"Restore on an empty machine.*?```sh\n(.*?)```", text, re.DOTALL)
    [stamp] = [entry.name for entry in backups.iterdir() if entry.name != "media"]
    data = places.make(folder / "stack")
    media = places.make(data / "media", 0o700)
    server = Postgres(data)
    server.start()
    try:
        let_in(server)
        environment = tools(folder, server, docker=DOCKER.replace("{media}", str(media)))
        command = ["sh", "-eu", "-c", block.replace("STAMP", stamp)]
        subprocess.run(command, cwd=backups.parent, env=environment, check=True)
    finally:
        server.stop()
    return data


def let_in(server: Postgres) -> None:
    """The containers' roles, for the account that runs the tests."""
    names = server.folder / "pg_ident.conf"
    with psycopg.connect(server.url, autocommit=True) as link:
        known = {name for (name,) in link.execute("SELECT rolname FROM pg_roles").fetchall()}
        for role in set(OTHERS) - known:
            link.execute(f"CREATE ROLE {role} LOGIN SUPERUSER".encode())
            with names.open("a") as file:
                file.write(f'stack "{places.account_name()}" {role}\n')
        if "authentik" not in known:
            link.execute("CREATE DATABASE authentik OWNER authentik")
        link.execute("SELECT pg_reload_conf()")


def tools(folder: Path, server: Postgres, **programs: str) -> dict[str, str]:
    """An environment in which these programs come first."""
    place = folder / "bin"
    place.mkdir()
    for name, text in programs.items():
        (place / name).write_text(text.format(programs=server.programs, folder=folder))
        (place / name).chmod(0o755)
    path = f"{place}:{server.programs}:{os.environ['PATH']}"
    return {"PATH": path, "PGHOST": str(server.socket), "PGPORT": "5432", "HOME": str(folder)}
