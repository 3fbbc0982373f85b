"""How much of this machine there is for engines: devices, cores, memory. Containers are believed before the host."""

import functools
import json
import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from worker.engine.base import EXACT, FAST

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
# Measured, of its own: 0.5 GB with the demo model; with base dimensions, whose file has 139 MB, 1.3 GB in fast mode and
# 2.1 in exact mode, at most, in a batch of 8 by beams at every temperature; while it was packed in fast mode, 2.7 times
# its file (1 of it is the file, mapped). That larger models take no more than this is reckoned from their dimensions.
MEMORY_FOR_A_MODEL = {FAST: 3, EXACT: 8}  # times its file
MEMORY_FOR_A_PROCESS = 1 << 30
CGROUP = Path("/sys/fs/cgroup")
DEVICES = Path("/dev")
GPU_FILES = ("nvidia*", "dxg", "kfd")  # NVIDIA's driver, Windows' below WSL, AMD's
PROBE_SECONDS = 120
INHERITED = ("PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_", "LD_LIBRARY_PATH", "XDG_CACHE_HOME")
INHERITED_OF_DEVICES = ("CUDA_", "NVIDIA_", "PYTORCH_", "HIP_", "ROCR_", "HSA_")


@dataclass(frozen=True)
class Layout:
    """The device of each slot, and the threads of each."""

    devices: list[str]
    threads: int


def slots_on_cpu(cores: int, memory: int, checkpoint_bytes: int, mode: str = FAST) -> int:
    """At least one: whether a model really fits shows when it is loaded."""
    return max(1, min(cores, memory // (checkpoint_bytes * MEMORY_FOR_A_MODEL[mode] + MEMORY_FOR_A_PROCESS)))


def has_gpu_files() -> bool:
    """Whether a driver of a GPU is there."""
    return any(found for pattern in GPU_FILES for found in DEVICES.glob(pattern))


@functools.cache
def probe() -> tuple[str, ...]:
    """The names of the GPUs that torch can use, asked of a process of its own: to load torch takes seconds."""
    if not has_gpu_files():
        return ()
    command = [sys.executable, "-m", "worker.engine.probe"]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment(1), capture_output=True, check=True, timeout=PROBE_SECONDS
        )
        return tuple(device["name"] for device in json.loads(done.stdout)["cuda"])
    except (subprocess.SubprocessError, ValueError) as error:
        logger.warning("No answer about graphics processors, going on without: %s", type(error).__name__)
        return ()


def environment(threads: int) -> dict[str, str]:
    """For a process that loads torch: no secrets, threads that sleep while they wait, and memory in large pages.

    Spinning OpenMP threads on busy cores made decoding 7-8 times slower; numba resets torch's thread count. A step of
    the decoder reads all weights, 4 KB here and there: with pages of 2 MB, which glibc asks for from 2.35 on, base
    dimensions took 5 to 12 % less time for a window.
    """
    kept = {name: value for name, value in os.environ.items() if name.startswith(INHERITED + INHERITED_OF_DEVICES)}
    return kept | {
        "OMP_WAIT_POLICY": "PASSIVE",
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "NUMBA_NUM_THREADS": "1",
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    }


def cores() -> int:
    """Cores this process may use, by affinity and by the quota of its container."""
    allowed = len(os.sched_getaffinity(0))
    quota, _, period = _read(CGROUP / "cpu.max").partition(" ")
    return max(1, min(allowed, int(quota) // int(period))) if quota.isdigit() else allowed


def available_memory() -> int:
    """Bytes that may be taken without swapping, on the host and in the container."""
    lines = dict(line.split(":", 1) for line in _read(Path("/proc/meminfo")).splitlines())
    free = int(lines["MemAvailable"].split()[0]) << 10
    limit, used = _read(CGROUP / "memory.max").strip(), _read(CGROUP / "memory.current").strip()
    return max(0, min(free, int(limit) - int(used))) if limit.isdigit() and used.isdigit() else free


def resident(pid: int | None) -> int:
    """Bytes of memory that a process holds now; 0 for one that is gone."""
    pages = _read(Path(f"/proc/{pid}/statm")).split()
    return int(pages[1]) * os.sysconf("SC_PAGE_SIZE") if pages else 0


def _read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""
