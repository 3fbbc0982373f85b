"""One writer for each file, across connections and processes, and a way to ask it to give way.

Both locks are the kernel's, so a killed process leaves none behind. On a network file system that makes one kind out
of the two, a newcomer cannot ask; it still waits its time and never writes beside the other.
"""

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_ASKING_BYTE = 1 << 62  # far behind any content: nothing is ever there, only locks


def take(file: int) -> bool:
    """Become the writer of this open file, or learn at once that there is one."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def check_place(file: int, path: Path) -> None:
    """Raises FileNotFoundError when the file was moved or replaced between opening and locking it."""
    if not os.path.samestat(os.fstat(file), path.stat()):
        raise FileNotFoundError(path)


@contextmanager
def asking(path: Path) -> Iterator[None]:
    """Let the writer see that somebody waits, for as long as this context lasts."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:  # nobody writes any more
        yield
        return
    try:
        with suppress(OSError):
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, _record(fcntl.F_RDLCK))  # many may ask: a shared lock
        yield
    finally:
        os.close(file)


def is_asked_for(file: int) -> bool:
    """Whether anyone is `asking` for this open file."""
    try:
        found = fcntl.fcntl(file, fcntl.F_OFD_GETLK, _record(fcntl.F_WRLCK))
    except OSError:
        return False
    return bool(struct.unpack_from("h", found)[0] != fcntl.F_UNLCK)


def _record(kind: int) -> bytes:
    """`struct flock` of a 64-bit Linux: type, whence, start, length, and a process id that must be 0."""
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, _ASKING_BYTE, 1, 0)
