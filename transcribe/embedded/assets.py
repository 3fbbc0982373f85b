"""Front-end assets: built when missing or when an input changed, told by a hash kept beside the output.

Time stamps are not asked: a fresh clone, a branch switch and an unpacked archive all have misleading ones.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from transcribe.embedded import places
from transcribe.embedded.child import leashed
from transcribe.embedded.node import Node, find_node

STAMP = ".inputs"  # collectstatic leaves names with a leading dot alone
Say = Callable[[str], None]


@dataclass(frozen=True)
class Package:
    """A folder with package.json whose `npm run build` makes `output`. `read` are what it looks at besides itself."""

    folder: Path
    output: Path
    read: tuple[str, ...] = ()  # patterns below the checkout


PACKAGES = (
    Package(
        Path("transcribe/theme/static_src"),
        Path("transcribe/theme/static/css/dist/styles.css"),
        ("templates/**/*.html", "*/templates/**/*.html", "static/js/**/*.js", "frontend-island/src/**/*"),
    ),
    Package(Path("frontend-island"), Path("static/island/island.js")),
)


def build(say: Say = print, root: Path = places.CHECKOUT) -> bool:
    """Build every package of the checkout that is missing or stale; whether there was one. Raises RuntimeError."""
    made = [_build(package, root, say) for package in PACKAGES if (root / package.folder / "package.json").exists()]
    return any(made)


def collect(static_root: Path, environment: Mapping[str, str], root: Path = places.CHECKOUT) -> bool:
    """Bring `collectstatic` up to date; whether it had to run. `environment` is that of a Django command."""
    folders = [root / "static", root / "transcribe/theme/static"]
    files = [path for folder in folders for path in folder.rglob("*")]
    wanted = digest([*files, root / "uv.lock", root / "transcribe/settings.py"], root)
    with _alone(places.make(static_root, 0o755)):
        if _stamp(static_root) == wanted:
            return False
        command = [sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0"]
        _run(command, root, dict(environment), "The static files could not be collected")
        (static_root / STAMP).write_text(wanted)
    return True


def digest(files: Iterable[Path], root: Path) -> str:
    """One hash over names and contents."""
    total = hashlib.sha256()
    for path in sorted(set(files)):
        if path.is_file() and "node_modules" not in path.parts:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            total.update(f"{path.relative_to(root)}\0{content}\n".encode())
    return total.hexdigest()


def _build(package: Package, root: Path, say: Say) -> bool:
    folder, output = root / package.folder, root / package.output
    with _alone(folder):
        wanted = digest(_inputs(package, root), root)
        if output.exists() and _stamp(output.parent) == wanted:
            return False
        node = find_node()
        say(f"Building {package.folder} with {node.origin}.")
        (output.parent / STAMP).unlink(missing_ok=True)
        _bring_packages(folder, node, say)
        _run([*node.npm, "run", "build"], folder, node.environment(), f"{package.folder} could not be built")
        if not output.exists():
            raise RuntimeError(f"The build of {package.folder} did not make {package.output}.")
        (output.parent / STAMP).write_text(wanted)
    return True


def _inputs(package: Package, root: Path) -> Iterator[Path]:
    for name, folders, files in os.walk(root / package.folder):
        folders[:] = [each for each in folders if each != "node_modules"]
        yield from (Path(name) / each for each in files)
    for pattern in package.read:
        yield from root.glob(pattern)


def install(folder: Path, node: Node, say: Say = print) -> None:
    """Bring the npm packages of a folder, for what else runs there. Raises RuntimeError."""
    with _alone(folder):
        _bring_packages(folder, node, say)


def _bring_packages(folder: Path, node: Node, say: Say) -> None:
    """`npm ci` only when the lock file is another one than at the last time."""
    wanted = digest([folder / "package-lock.json"], folder)
    if _stamp(folder / "node_modules") == wanted:
        return
    say(f"Installing the npm packages of {folder.name}.")
    command = [*node.npm, "ci", "--no-audit", "--no-fund"]
    _run(command, folder, node.environment(), f"The npm packages of {folder.name} could not be installed")
    (folder / "node_modules").mkdir(exist_ok=True)  # npm makes none where nothing is to be installed
    (folder / "node_modules" / STAMP).write_text(wanted)


def _stamp(folder: Path) -> str:
    path = folder / STAMP
    return path.read_text() if path.exists() else ""


def _run(command: list[str], folder: Path, environment: dict[str, str], failure: str) -> None:
    done = subprocess.run(leashed(command), cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{failure}:\n{(done.stdout + done.stderr).strip()[-2000:]}")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One builder at a time: the second waits, then finds the work done."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
