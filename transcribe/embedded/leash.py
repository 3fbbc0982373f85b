"""Run a command that dies with its parent: `leash.py --parent PID --signal INT [--user NAME] -- command...`.

The kernel sends the signal when the parent *thread* ends, even by SIGKILL, so start children from a thread that lives
as long as they should. Runs with `python -I -S`: standard library only.
"""

import argparse
import ctypes
import os
import pwd
import signal
import sys

PR_SET_PDEATHSIG = 1


def tie(number: int, parent: int) -> None:
    """Ask for signal `number` when the parent ends, and end here if it ended before we could ask."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        sys.exit("The parent process has ended.")


def become(name: str) -> None:
    """Give up root for this account, its groups included."""
    account = pwd.getpwnam(name)
    os.initgroups(name, account.pw_gid)
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--signal", default="KILL")
    parser.add_argument("--user")
    parser.add_argument("command", nargs="+")
    asked = parser.parse_args()
    number = signal.Signals[f"SIG{asked.signal}"]
    tie(number, asked.parent)
    if asked.user:
        become(asked.user)
        tie(number, asked.parent)  # a change of credentials clears the first request
    os.execvp(asked.command[0], asked.command)  # noqa: S606 - a list, no shell: this is what the file is for


if __name__ == "__main__":
    main()
