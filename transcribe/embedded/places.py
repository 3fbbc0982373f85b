"""Folders of the embedded stack. Those made here get modes of their own; no folder that was there is ever changed."""

import atexit
import fcntl
import hashlib
import os
import pwd
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
SYSTEM = Path("/var/lib/transcribe")  # root's: the database account must be able to walk in, and /root is closed to it


def is_root() -> bool:
    return os.geteuid() == 0


def account_name() -> str:
    """Of the account that runs this process."""
    return pwd.getpwuid(os.geteuid()).pw_name


def keyed(path: Path) -> Path:
    """Root's folder for this path: one for each checkout or data folder."""
    return SYSTEM / hashlib.sha256(str(path).encode()).hexdigest()[:12]


def data_folder() -> Path:
    """DATA_DIR, else `.data/` in the checkout, else for root a folder under /var/lib."""
    chosen = os.environ.get("DATA_DIR")
    if chosen:
        return Path(chosen).resolve()
    return keyed(CHECKOUT) if is_root() else CHECKOUT / ".data"


def make(folder: Path, mode: int | None = None) -> Path:
    """Create the folder and its missing parents with this mode, whatever the umask; leave those that exist alone.

    By default nobody else gets in; root's are open to pass through, for the account of the database.
    """
    mode = (0o711 if is_root() else 0o700) if mode is None else mode
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        path.chmod(mode)
    return folder


def reachable(path: Path, uid: int, groups: list[int], wanted: int = 5) -> bool:
    """Whether the modes let this account walk to `path` and do what `wanted` says there (5: read and enter)."""
    return all(_allows(step, uid, groups, wanted if step == path else 1) for step in (path, *path.parents))


def _allows(path: Path, uid: int, groups: list[int], wanted: int) -> bool:
    status = path.stat()
    shift = 6 if status.st_uid == uid else 3 if status.st_gid in groups else 0
    return (status.st_mode >> shift) & wanted == wanted


def scratch() -> Path:
    """A data folder that is removed when this process ends, or by the next one if it was killed."""
    base = SYSTEM if is_root() else Path(tempfile.gettempdir())
    if is_root():
        make(base, 0o755)
    for old in base.glob("transcribe-scratch-*"):
        with suppress(FileNotFoundError):  # its process, or another look, has just removed it
            _remove_if_dead(old)
    made = Path(tempfile.mkdtemp(prefix="transcribe-new-", dir=base))
    made.chmod(0o711)
    _hold(made)
    # Only now under the name that others look for: before, it could seem to be left behind.
    folder = made.rename(base / made.name.replace("new", "scratch", 1))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


_held: list[int] = []  # open locks: they say that this process lives


def _hold(folder: Path) -> None:
    handle = os.open(folder / "alive", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    _held.append(handle)


def _remove_if_dead(folder: Path) -> None:
    if folder.stat().st_uid != os.geteuid() or not (folder / "alive").exists():
        return
    handle = os.open(folder / "alive", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        pass  # its process lives
    finally:
        os.close(handle)
