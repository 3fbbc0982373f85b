"""Checkpoint files, without torch: where one lies, and what is in it."""

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from worker.engine.base import EngineRefused

CHUNK = 1 << 20
OTHER_NAMES = {"large": "large-v3", "turbo": "large-v3-turbo"}  # openai-whisper's own short names


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return sha256_of_open(file)


def sha256_of_open(file: BinaryIO) -> str:
    """The same of an open file, from its start; leaves it at its start."""
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def default_folder() -> Path:
    """Where openai-whisper keeps the weights it downloaded."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "whisper"


def find_checkpoint(model: str, folder: Path | None = None) -> Path:
    """The file of `model`: the path of a checkpoint, or a name of openai-whisper's, looked up in `folder`.

    Raises EngineRefused("checkpoint_missing") where there is none; nothing is downloaded here.
    """
    if model.endswith(".pt"):
        path = Path(model)
    elif model != Path(model).name:
        raise EngineRefused("checkpoint_missing", "A model is named by its name or by a path that ends in .pt.")
    else:
        path = (folder or default_folder()) / f"{OTHER_NAMES.get(model, model)}.pt"
    if not path.is_file():
        raise EngineRefused("checkpoint_missing", f"There is no checkpoint at {path}. Fetch it, or name another model.")
    return path
