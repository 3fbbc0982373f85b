"""Disks that can be full: file systems in memory under the folders of a stack. They take the right to mount."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PIECE = 1 << 20
ROWS, RECORDINGS = "1200m", "2g"  # of the database and Temporal; of the recordings
NEEDED = "Only root may mount; that a full disk is said at upload is tested in jobs/uploads without one."


def apart() -> None:
    """From here on this process and its children see mounts of their own, which end with them, even killed."""
    with suppress(OSError):  # who may not do this may not mount either
        os.unshare(os.CLONE_NEWNS)
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)


def mount(folder: Path, size: str) -> bool:
    """Whether this folder is a disk of its own now."""
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0711", "tmpfs", str(folder)]
    return os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0


def unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def may_mount() -> bool:
    """Whether this machine lets us."""
    with tempfile.TemporaryDirectory() as folder:
        if found := mount(Path(folder), "1m"):
            unmount(Path(folder))
        return found


@contextmanager
def full(disk: Path, left: int = 0) -> Iterator[None]:
    """All but `left` bytes of it are taken meanwhile."""
    ballast = disk / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            status = os.statvfs(disk)
            for size in (PIECE, 4096):
                while os.statvfs(disk).f_bavail * status.f_frsize >= left + size:
                    file.write(bytes(size))
        yield
    finally:
        ballast.unlink()
