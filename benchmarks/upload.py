"""`poe bench upload [--bytes N] [--rounds N] [--chunk N]`: large uploads through us, the bare limit, and the reference.

Ours: tus on the web process as `manage.py up` starts it: sign-in, limits, SHA-256, fsync, one job. Limit: the same
uvicorn with an application that only writes. Reference: `@tus/server` with `@tus/file-store` on Node. One client,
32 MiB pieces as the upload page sends them, 1 and 4 uploads at once, rounds in turn. Prints seconds, ratios, memory,
`/healthz` and disk; exits 1 when one of ours misses its goal.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks._tus_client import CHUNK_BYTES, Door, upload
from transcribe import peers
from transcribe.drill import Drill
from transcribe.embedded import places
from transcribe.embedded.ports import free_port, is_taken

MIB = 1 << 20
MANY = 4
GROWTH_GOALS = {1: 64 * MIB, MANY: 128 * MIB}
HEALTH_GOAL, DISK_GOAL = 0.100, 1.10
LOOK_SECONDS = 0.02


@dataclass
class Server:
    """One of the three: where to upload, the process to watch, what it stores, and how to clear that."""

    name: str
    door: Door
    pid: int
    stored: Path
    clear: Callable[[], None]
    health: str = ""  # an address to ask meanwhile


@dataclass
class Seen:
    """What was noticed during one run: `health` in seconds, the rest in bytes."""

    seconds: float = 0
    growth: int = 0
    disk: int = 0
    health: list[float] = field(default_factory=list)


class Watch(threading.Thread):
    """Looks at a server while it works: memory, health in between, and the disk now and then."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self._server, self._process = server, psutil.Process(server.pid)
        self._before, self._used = self._process.memory_info().rss, _used(server.stored)
        self._ended = threading.Event()
        self.seen = Seen()

    def run(self) -> None:
        looks = 0
        while not self._ended.wait(LOOK_SECONDS):
            self.seen.growth = max(self.seen.growth, self._process.memory_info().rss - self._before)
            if looks % 10 == 0:
                self.seen.disk = max(self.seen.disk, _used(self._server.stored) - self._used)
            if self._server.health:
                self.seen.health.append(_ask(self._server.health))
            looks += 1

    def end(self) -> Seen:
        self._ended.set()
        self.join()
        self.seen.disk = max(self.seen.disk, _used(self._server.stored) - self._used)
        return self.seen


def _ask(url: str) -> float:
    began = time.monotonic()
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - our own address
        answer.read()
    return time.monotonic() - began


def _used(folder: Path) -> int:
    """Bytes on disk; a file of two names counts once."""
    found: dict[int, int] = {}
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file():
                status = path.stat()
                found[status.st_ino] = status.st_blocks * 512
    return sum(found.values())


def measure(server: Server, file: Path, at_once: int, chunk: int) -> Seen:
    """`at_once` uploads of the file at the same moment; the seconds until the last is done."""
    watch = Watch(server)
    watch.start()
    began = time.monotonic()
    with ThreadPoolExecutor(at_once) as people:
        list(people.map(lambda _: upload(server.door, file, chunk), range(at_once)))
    seconds = time.monotonic() - began
    seen = watch.end()
    seen.seconds = seconds
    server.clear()
    return seen


@contextmanager
def ours() -> Iterator[Server]:
    """The embedded stack with a worker that sits still."""
    drill = Drill(places.scratch(), say=lambda line: None)
    drill.start()
    try:
        drill.stack.hold("worker")
        media = drill.stack.data / "media"

        def clear() -> None:
            drill.rows("DELETE FROM jobs_upload RETURNING 1")
            for folder in (media / "jobs").glob("*"):
                shutil.rmtree(folder)

        door = Door(f"{drill.stack.address}/api/v1/uploads/", drill.headers())
        yield Server("ours", door, drill.stack.pid("web"), media, clear, f"{drill.stack.address}/healthz")
    finally:
        drill.stop()


@contextmanager
def raw(folder: Path) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "benchmarks._raw:application", "--port", str(port)]
    environment = {**os.environ, "RAW_FOLDER": str(folder)}
    with _running([*command, "--log-level", "warning", "--no-access-log"], environment, port) as pid:
        yield Server("limit", Door(f"http://127.0.0.1:{port}/files", {}), pid, folder, lambda: _empty(folder))


@contextmanager
def reference(folder: Path) -> Iterator[Server]:
    port = free_port()
    command, environment = peers.command("server.mjs", port, folder)
    with _running(command, environment, port) as pid:
        yield Server("reference", Door(f"http://127.0.0.1:{port}/files", {}), pid, folder, lambda: _empty(folder))


@contextmanager
def _running(command: list[str], environment: dict[str, str], port: int) -> Iterator[int]:
    with subprocess.Popen(command, env=environment, cwd=places.CHECKOUT) as process:
        try:
            while not is_taken(port):
                if process.poll() is not None:
                    raise RuntimeError(f"{command[0]} ended at once.")
                time.sleep(0.05)
            yield process.pid
        finally:
            process.terminate()


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def report(results: dict[tuple[str, int], list[Seen]], size: int) -> list[str]:
    """Print a table; the goals of ours that were missed."""
    missed: list[str] = []
    medians = {key: statistics.median(seen.seconds for seen in found) for key, found in results.items()}
    for (name, at_once), found in results.items():
        seconds = medians[name, at_once]
        growth, disk = max(seen.growth for seen in found), max(seen.disk for seen in found) / (size * at_once)
        line = f"{name:<10} x{at_once}: {seconds:6.2f} s ({size * at_once / seconds / MIB:5.0f} MiB/s)"
        line += f", memory +{growth / MIB:4.0f} MiB, disk {disk:.2f} x"
        if name != "ours":
            print(f"{line}; ours takes {medians['ours', at_once] / seconds:.2f} x as long")
            continue
        asked = sorted(second for seen in found for second in seen.health)
        late = asked[int(len(asked) * 0.95)]
        print(f"{line}; /healthz p95 {late * 1000:.0f} ms, longest {asked[-1] * 1000:.0f} ms of {len(asked)}")
        goals = {"memory": growth <= GROWTH_GOALS[at_once], "healthz": late <= HEALTH_GOAL, "disk": disk <= DISK_GOAL}
        missed += [f"{goal} x{at_once}" for goal, reached in goals.items() if not reached]
    return missed


def _file(folder: Path, size: int) -> Path:
    path = folder / "recording"
    block = os.urandom(min(size, 16 * MIB))
    with path.open("wb") as file:
        for start in range(0, size, len(block)):
            file.write(block[: size - start])
    return path


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bytes", type=int, default=1 << 30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--chunk", type=int, default=CHUNK_BYTES)
    chosen = parser.parse_args(arguments)
    results: dict[tuple[str, int], list[Seen]] = {}
    with tempfile.TemporaryDirectory(dir=places.make(places.SYSTEM)) as scratch:
        folders = [Path(scratch) / name for name in ("source", "limit", "reference")]
        for folder in folders:
            folder.mkdir()
        file = _file(folders[0], chosen.bytes)
        with ours() as mine, raw(folders[1]) as limit, reference(folders[2]) as other:
            for server in (mine, limit, other):
                upload(server.door, file, chosen.chunk)  # everything imported, every pool filled
                server.clear()
            for turn in range(chosen.rounds):
                for at_once in (1, MANY):
                    servers = (mine, limit, other)
                    for server in servers[turn % 3 :] + servers[: turn % 3]:
                        seen = measure(server, file, at_once, chosen.chunk)
                        results.setdefault((server.name, at_once), []).append(seen)
    missed = report({key: results[key] for key in sorted(results, key=lambda key: key[1])}, chosen.bytes)
    verdict = f"missed {missed}" if missed else "met"
    print(
        f"goals of ours: memory <= {GROWTH_GOALS[1] >> 20} MiB for one, <= {GROWTH_GOALS[MANY] >> 20} MiB for four, "
        f"/healthz p95 <= {HEALTH_GOAL * 1000:.0f} ms, disk <= {DISK_GOAL} x: {verdict}"
    )
    return 1 if missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except urllib.error.URLError as error:
        sys.exit(f"The web process did not answer: {error}")
