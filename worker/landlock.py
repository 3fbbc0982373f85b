"""Shuts the calling process in: no file, no network, no new process, ever again. Standard library only.

Two locks, because neither is enough. Landlock takes away the file system and TCP, but `socket()` still succeeds under
it and UDP goes out; a few calls (`stat`, `kill` before ABI 6, loading a module as root) are not its business at all.
So a seccomp filter comes on top that lets through only what computing on open files needs, and answers all else EPERM.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Sequence

CREATE_RULESET, RESTRICT_SELF = 444, 446  # the same numbers on every architecture
SET_NO_NEW_PRIVS, SET_SECCOMP, FILTER_MODE = 38, 22, 2
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # how many file-system rights each ABI knows; 16 from ABI 5 on
TCP_RIGHTS, SCOPES = 0b11, 0b11  # bind and connect; abstract Unix sockets and signals

# What stays possible, by architecture: its audit number, then the calls read, write, close, fstat, lseek; mmap,
# mprotect, munmap, brk, mremap, madvise; rt_sigaction, rt_sigprocmask, rt_sigreturn, sigaltstack; pread64, readv,
# writev, fsync; sched_yield, nanosleep, clock_nanosleep, clock_gettime, gettimeofday; getrusage, getpid, gettid, futex,
# getrandom, restart_syscall, exit, exit_group. No open, no socket, no clone (so no threads either), no exec. Above all
# no io_uring: its ring opens files and sockets past any seccomp filter.
ALLOWED = {
    "x86_64": (
        0xC000003E,
        "0 1 3 5 8 9 10 11 12 25 28 13 14 15 131 17 19 20 74 24 35 230 228 96 98 39 186 202 318 219 60 231",
    ),
    "aarch64": (
        0xC00000B7,
        "63 64 57 80 62 222 226 215 214 216 233 134 135 139 132 67 65 66 82 "
        "124 101 115 113 169 165 172 178 98 278 128 93 94",
    ),
}
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM

_libc = ctypes.CDLL(None, use_errno=True)


def supported() -> int:
    """The kernel's Landlock ABI version, or 0 where Landlock is missing or switched off."""
    return max(0, int(_libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1)))


def problem() -> str | None:
    """What keeps this machine from shutting a process in, as a sentence; None when nothing does."""
    if not supported():
        return "This kernel has no Landlock, which keeps the reading of uploaded files away from all other files."
    if platform.machine() not in ALLOWED:
        return (
            f"There is no call filter for {platform.machine()} to keep the reading of uploaded files off the network."
        )
    return None


def shut_in() -> None:
    """Take away everything this machine can take away (see `problem`); OSError when a lock that exists does not close.

    Both locks bind the calling thread alone, so a process that already has more than one is refused.
    """
    if len(os.listdir("/proc/self/task")) > 1:
        raise RuntimeError("a process with several threads cannot be shut in: the others would stay free")
    promise()
    if supported():
        refuse_files()
    if platform.machine() in ALLOWED:
        refuse_calls()


def promise() -> None:
    """Never to gain rights again (no_new_privs), which both locks want first."""
    _check(_libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def refuse_files() -> None:
    """Enter a Landlock ruleset that handles every right this kernel knows and grants none. Needs no_new_privs."""
    version = supported()
    words = [(1 << FILE_RIGHTS.get(version, 16)) - 1] + [TCP_RIGHTS] * (version >= 4) + [SCOPES] * (version >= 6)
    attributes = (ctypes.c_uint64 * len(words))(*words)
    ruleset = _check(_libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(ctypes.sizeof(attributes)), 0))
    _check(_libc.syscall(RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def refuse_calls() -> None:
    """Install the seccomp filter: calls not in `ALLOWED`, and every call of a foreign architecture, fail with EPERM."""
    architecture, allowed = ALLOWED[platform.machine()]
    calls = [int(number) for number in allowed.split()]
    steps = [(LOAD_WORD, 0, 0, 4), (JUMP_IF_EQUAL, 0, len(calls) + 1, architecture), (LOAD_WORD, 0, 0, 0)]
    steps += [(JUMP_IF_EQUAL, len(calls) - index, 0, call) for index, call in enumerate(calls)]
    install([*steps, (RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW)])


def install(steps: Sequence[tuple[int, int, int, int]]) -> None:
    """A seccomp filter: a classic BPF program, each step code, jumps and operand. Needs no_new_privs."""
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program)))
    _check(_libc.prctl(SET_SECCOMP, FILTER_MODE, header, 0, 0))


def _check(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "the process could not be shut in")
    return result
