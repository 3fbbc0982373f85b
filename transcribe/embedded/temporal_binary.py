"""Where the Temporal dev server comes from: named, on PATH, kept from before, the SDK's download, built with Go."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from transcribe.embedded import places
from transcribe.embedded.child import leashed, sweep

VERSION = "v1.5.1"  # the last one that `go install` takes: later tags carry a `replace` in go.mod, which it refuses
PACKAGE = "github.com/temporalio/cli/cmd/temporal"
STALL_SECONDS = 15  # a download that grows by nothing for so long has failed
BUILD_SECONDS = 1800

Say = Callable[[str], None]


def kept() -> Path:
    """The copy in the user's cache: later starts and other checkouts take it at once."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "transcribe" / f"temporal-{VERSION}" / "temporal"


def temporal_binary(say: Say = print) -> Path:
    """The program `temporal`. Raises RuntimeError that says what to install."""
    named = os.environ.get("TEMPORAL_CLI_PATH")
    if named:
        if not os.access(named, os.X_OK):
            raise RuntimeError(f"TEMPORAL_CLI_PATH names {named}, and there is no program. Correct it, or unset it.")
        return Path(named).resolve()
    if found := shutil.which("temporal"):
        return Path(found)
    if kept().exists() or _fetch(say) or _build(say):
        return kept()
    raise RuntimeError(
        "The Temporal server is missing and could not be fetched. Install the Temporal CLI "
        "(https://docs.temporal.io/cli), or Go 1.25 or newer to build it, or set TEMPORAL_CLI_PATH, "
        "or set TEMPORAL_ADDRESS to a running server."
    )


def _fetch(say: Say) -> bool:
    """Let the SDK download it and start it once; the file it leaves is kept."""
    say(f"Downloading the Temporal server {VERSION}.")
    with _work_folder() as work:
        code = (
            "import asyncio, sys\n"
            "from temporalio.testing import WorkflowEnvironment\n"
            "async def main():\n"
            "    start = WorkflowEnvironment.start_local\n"
            "    server = await start(download_dest_dir=sys.argv[1], dev_server_download_version=sys.argv[2])\n"
            "    await server.shutdown()\n"
            "asyncio.run(main())\n"
        )
        command = leashed([sys.executable, "-c", code, work, VERSION])
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        _wait_while_it_grows(child, Path(work))
        whole = child.returncode == 0
        files = [path for path in Path(work).iterdir() if path.is_file() and os.access(path, os.X_OK)]
        if not whole or len(files) != 1:
            say("The Temporal server could not be downloaded.")
            return False
        _keep(files[0])
    return True


def _wait_while_it_grows(child: subprocess.Popen[bytes], folder: Path) -> None:
    size, since = -1, time.monotonic()
    while child.poll() is None:
        now = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        if now != size:
            size, since = now, time.monotonic()
        if time.monotonic() - since > STALL_SECONDS:
            sweep(child.pid)
        time.sleep(0.2)


def _build(say: Say) -> bool:
    """`go install` with a line every half minute: it takes some minutes."""
    go = shutil.which("go")
    if go is None:
        return False
    say(f"Building the Temporal server {VERSION} with Go. This takes about 4 minutes, once.")
    with _work_folder() as work, tempfile.TemporaryFile() as output:
        environment = {**os.environ, "GOBIN": work, "GOFLAGS": "", "CGO_ENABLED": "0"}
        command = leashed([go, "install", f"{PACKAGE}@{VERSION}"])
        child = subprocess.Popen(
            command, env=environment, cwd=work, stdout=output, stderr=output, start_new_session=True
        )
        _wait_with_lines(child, say)
        if child.returncode:
            output.seek(0)
            say("Go could not build the Temporal server: " + output.read().decode(errors="replace").strip()[-500:])
            return False
        _keep(Path(work) / "temporal")
    return True


def _wait_with_lines(child: subprocess.Popen[bytes], say: Say) -> None:
    start = time.monotonic()
    while True:
        try:
            child.wait(30)
            return
        except subprocess.TimeoutExpired:
            passed = int(time.monotonic() - start)
            say(f"Still building the Temporal server ({passed} s).")
            if passed > BUILD_SECONDS:
                sweep(child.pid)


def _work_folder() -> tempfile.TemporaryDirectory[str]:
    """Beside the kept copy, so that keeping is one rename."""
    places.make(kept().parent, 0o755)
    return tempfile.TemporaryDirectory(prefix=".part-", dir=kept().parent)


def _keep(program: Path) -> None:
    program.chmod(0o755)
    program.replace(kept())
