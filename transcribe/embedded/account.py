"""The account Postgres runs as. It refuses to run as root, so root needs another one that owns the data."""

import os
import pwd
import subprocess

from transcribe.embedded import places

NAMES = ("transcribe-postgres", "postgres")  # ours, else the one Debian's package makes


def server_account() -> pwd.struct_passwd:
    """Ours when we are not root; else an unprivileged one, created when there is none."""
    if not places.is_root():
        return pwd.getpwuid(os.geteuid())
    return _known() or _create()


def groups_of(account: pwd.struct_passwd) -> list[int]:
    return os.getgrouplist(account.pw_name, account.pw_gid)


def _known() -> pwd.struct_passwd | None:
    names = {entry.pw_name: entry for entry in pwd.getpwall() if entry.pw_uid != 0}
    return next((names[name] for name in NAMES if name in names), None)


def _create() -> pwd.struct_passwd:
    """A system account without a home or a shell. Two starts may race: the one that comes second finds it made."""
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", NAMES[0]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    account = _known()
    if account is None:
        raise RuntimeError(
            f"Postgres does not run as root, and no account for it could be made ({done.stderr.strip()}). "
            f"Create a system user named {NAMES[0]}, or start as another user than root."
        )
    return account
