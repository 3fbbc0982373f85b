"""From the name of a model to a checkpoint file. Standard library only: neither torch nor Django is loaded here.

Names, addresses and hashes are read out of openai-whisper's source, because importing it loads torch. Its own loader
does the download, in a child process.
"""

import ast
import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.error import HTTPError

ANSWER_SECONDS = 10  # no answer for so long counts as unreachable
DEFAULT = "base"

Say = Callable[[str], None]


class ModelMissing(Exception):
    """The model cannot be had; the text says why and what to do."""


class Unreachable(ModelMissing):
    """The weights are known, but cannot be fetched from here."""


@cache
def published() -> dict[str, str]:
    """Address of the weights by name, as openai-whisper lists them; each holds the file's SHA-256."""
    found = importlib.util.find_spec("whisper")
    if found is None or found.origin is None:
        raise ModelMissing("openai-whisper is not installed. Install it with `uv sync --group worker`.")
    for node in ast.parse(Path(found.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_MODELS":
            return dict(ast.literal_eval(node.value))
    raise ModelMissing("This version of openai-whisper lists no models. Set WHISPER_MODEL to the path of a checkpoint.")


def default_folder() -> Path:
    """Where openai-whisper keeps weights."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "whisper"


def is_path(name: str) -> bool:
    """Whether WHISPER_MODEL means a file: it ends in .pt or holds a slash; no published name does."""
    return name.endswith(".pt") or "/" in name


def named(text: str) -> tuple[str, str]:
    """The name that runs know a model by, and what `resolve` takes, of an operator's entry.

    "small" -> ("small", "small"); "/models/mine.pt" -> ("mine", the path); "mine=/models/a.pt" -> ("mine", the path).
    """
    name, sign, where = text.partition("=")
    if sign and "/" not in name:  # that of a path is part of it
        return name.strip(), where.strip()
    return (Path(text).stem if is_path(text) else text), text


@dataclass(frozen=True)
class Weights:
    """Where a checkpoint lies or will lie, and for a published one its address and SHA-256; both empty for a file."""

    path: Path
    url: str = ""
    sha256: str = ""


def locate(name: str, folder: Path | None = None) -> Weights:
    """The file named, which must be there, or the place of published weights, which may still have to be fetched.

    `folder` is where weights are kept, by default openai-whisper's own. Raises ModelMissing.
    """
    if is_path(name):
        path = Path(name).expanduser().resolve()
        if not path.is_file():
            raise ModelMissing(f"There is no checkpoint at {path}. Set WHISPER_MODEL to a file or to a model's name.")
        return Weights(path)
    url = published().get(name)
    if url is None:
        raise ModelMissing(f"There is no model named {name}. Known names: {', '.join(sorted(published()))}.")
    return Weights((folder or default_folder()).resolve() / url.rsplit("/", 1)[-1], url, url.split("/")[-2])


def resolve(name: str, folder: Path | None = None, say: Say = print) -> Path:
    """The absolute path of a whole checkpoint: the file named, cached weights, or a download with a progress bar.

    As `locate`; raises Unreachable where only the network stands between.
    """
    found = locate(name, folder)
    if found.url and not _whole(found.path, found.sha256):
        _fetch(name, found, say)
    return found.path


def digest(path: Path) -> str:
    """SHA-256 of a file. OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def choose(asked: str | None, demo: Path, folder: Path | None = None, say: Say = print) -> tuple[Path, str]:
    """The checkpoint and the name runs know it by. Nothing asked: `base`, or the demo when that cannot be fetched.

    A model the operator named is never swapped for another: then ModelMissing is raised.
    """
    if asked:
        name, what = named(asked)
        return resolve(what, folder, say), name
    try:
        return resolve(DEFAULT, folder, say), DEFAULT
    except Unreachable as error:
        say(f"{error} The demo model is used instead: it knows only the sentences of its samples. Every page says so.")
        return demo, demo.stem


def _whole(path: Path, sha256: str) -> bool:
    """A file cut short by an earlier download has another hash."""
    return path.is_file() and digest(path) == sha256


def _fetch(name: str, weights: Weights, say: Say) -> None:
    """Into a folder beside, moved when whole: what is cut off never counts as weights."""
    url, target = weights.url, weights.path
    _ask(name, url)
    say(f"Downloading the model {name} to {target.parent}.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".part-", dir=target.parent) as part:
        code = "import socket, sys; socket.setdefaulttimeout(float(sys.argv[3])); import whisper; "
        code += "whisper._download(sys.argv[1], sys.argv[2], False)"
        done = subprocess.run([sys.executable, "-c", code, url, part, str(ANSWER_SECONDS)], check=False)
        fetched = Path(part) / target.name
        if done.returncode or not _whole(fetched, weights.sha256):
            raise Unreachable(f"The download of the model {name} did not finish. Try again.")
        fetched.replace(target)


def _ask(name: str, url: str) -> None:
    """Raise Unreachable unless the first byte comes in time. On a thread: looking up a name has no time limit."""
    answer: list[str] = []  # what went wrong; empty text: it answered

    def first_byte() -> None:
        try:
            with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as source:  # noqa: S310 - published() is https
                answer.append("" if source.read(1) else "the answer is empty")
        except HTTPError as error:
            error.close()
            answer.append(f"the answer is {error.code}")
        except (OSError, ValueError) as error:
            answer.append(str(getattr(error, "reason", error)))

    thread = threading.Thread(target=first_byte, daemon=True)
    thread.start()
    thread.join(ANSWER_SECONDS)
    why = answer[0] if answer else f"no answer within {ANSWER_SECONDS} s"
    if why:
        raise Unreachable(f"The weights of the model {name} cannot be fetched ({why}).")
