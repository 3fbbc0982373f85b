"""What a command of `manage.py` finds in its environment before Django reads its settings."""

import fcntl
import json
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transcribe.embedded import places

STACK_COMMANDS = {"up", "transcribe"}  # they start the stack, so they need no environment
CHOICES = (
    "DATABASE_URL",
    "TEMPORAL_ADDRESS",
    "WHISPER_MODEL",
    "WHISPER_MODELS",
    "SECRET_KEY",
)  # the operator's; the stack makes the rest
_ours: set[str] = set()


def prepare(arguments: Sequence[str]) -> None:
    """For `up` and `transcribe`: the embedded stack's environment. For others: that of the stack that runs, unless
    DATABASE_URL says that they are not meant for it."""
    command = arguments[1] if len(arguments) > 1 else "help"
    data = places.data_folder()
    if command == "up":
        _embed(data)
    elif not {"DATABASE_URL", "DATABASE_URL_FILE"} & set(os.environ):
        state = running(data)
        if state is not None and "DATABASE_URL" not in state["environment"]:
            sys.exit("The embedded stack is just starting. Try again when it is ready.")
        if state is not None:
            _set({**state["environment"], "SECRET_KEY": secret_key(data)})
        elif command in STACK_COMMANDS:
            _embed(data)
        else:
            sys.exit("Set DATABASE_URL, or start the embedded stack with `uv run manage.py up`.")
    elif command in STACK_COMMANDS:
        _embed(data)


def needs_stack() -> bool:
    """Whether this command has to start the stack: none runs, and the operator named no database."""
    return "DATABASE_URL" in _ours and running(places.data_folder()) is None


def given() -> dict[str, str]:
    """What the operator chose. Values that `prepare` made are not among them."""
    from transcribe import env  # it needs Django, which the other functions here do not

    chosen = {name: env.text(name, "") for name in CHOICES if name not in _ours}
    return {name: value for name, value in chosen.items() if value}


def secret_key(data: Path) -> str:
    """The key of this data folder: made at the first start, readable by its owner alone."""
    path = places.make(data) / "secret-key"
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    return path.read_text()


def state_file(data: Path) -> Path:
    return data / "stack.json"


def lock_file(data: Path) -> Path:
    return data / "stack.lock"


def running(data: Path) -> dict[str, Any] | None:
    """What the stack on this data folder wrote about itself, or None when none runs.

    {"pid", "address", "children": {name: pid}, "environment": {...}}; a stack that has not come up yet has no address.
    """
    try:
        with lock_file(data).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        pass
    else:
        return None
    try:
        return dict(json.loads(state_file(data).read_text()))
    except FileNotFoundError:  # it writes it as soon as it has the lock, and takes it away before it lets go
        return {"pid": 0, "address": "", "children": {}, "environment": {}}


def write_state(data: Path, state: Mapping[str, Any]) -> None:
    """Replaced in one step, readable by its owner alone."""
    part = data / "stack.json.part"
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(state, file)
    part.replace(state_file(data))


def _embed(data: Path) -> None:
    """A new stack's environment, as far as it is known before anything runs."""
    from transcribe.embedded.postgres import Postgres

    values = {"TRANSCRIBE_EMBEDDED": "true", "DATA_DIR": str(data), "SECRET_KEY": secret_key(data)}
    _set({**values, "DATABASE_URL": Postgres(data).url})  # known before the server runs


def _set(values: Mapping[str, str]) -> None:
    for name, value in values.items():
        if name not in os.environ and f"{name}_FILE" not in os.environ:
            os.environ[name] = value
            _ours.add(name)
