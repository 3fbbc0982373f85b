"""`uv run poe test`: bring what the tests need and this machine lacks, each with a line, then run them.

Without arguments in two passes: first what may run side by side, then, one by one, what needs the machine to itself
(`@pytest.mark.alone`: memory that must not grow, stacks that are killed in mid-job). Arguments go to one plain pass.
Nothing is skipped silently: what cannot be had ends here, with the name of what to install.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from transcribe.clamav import find_scanner
from transcribe.embedded import assets, places
from transcribe.embedded.node import find_node
from transcribe.embedded.temporal_binary import temporal_binary

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NPM_FOLDERS = ("frontend-island", "accounts/testing/provider", "benchmarks/tus")  # what tests run besides the builds
DOWNLOAD_SECONDS = 600
PROCESSES = max(2, min(4, os.cpu_count() or 2))  # each has a database, a browser and some servers of its own
PASSES = (
    ["-m", "not alone", "-n", str(PROCESSES), "--dist", "loadfile"],  # a file's tests share its servers
    ["-m", "alone"],
)
Say = Callable[[str], None]


def say(line: str) -> None:
    print(line, flush=True)


def find_browser() -> Path | None:
    """Chromium on PATH, else the one Playwright has downloaded before."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return Path(found)
    return _playwrights()


def bring_browser(say: Say = say) -> Path:
    """Find Chromium, or get it. Raises RuntimeError that names the package to install."""
    for get in (lambda _say: None, _download_browser, _install_package):
        get(say)
        if (found := find_browser()) is not None:
            say(f"Browser: {found}")
            return found
    raise RuntimeError("There is no browser to test with. Install the package `chromium` (or Google Chrome).")


def bring_scanner(say: Say = say) -> Path:
    """Find ClamAV's clamd, or install Debian's package. Raises RuntimeError that names it."""
    for get in (lambda _say: None, _install_scanner):
        get(say)
        if (found := find_scanner()) is not None:
            say(f"Virus scanner: {found}")
            return found
    raise RuntimeError("There is no virus scanner to test with. Install the package `clamav-daemon`.")


def _install_scanner(say: Say) -> None:
    _install("Virus scanner", "clamav-daemon", say)


def _playwrights() -> Path | None:
    """Asked in a child: Playwright's driver wants a loop of its own."""
    code = "from playwright.sync_api import sync_playwright as p\nwith p() as x: print(x.chromium.executable_path)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    path = Path(done.stdout.strip() or "/nowhere")
    return path if path.is_file() else None


def _download_browser(say: Say) -> None:
    say("Browser: none on PATH. Downloading Playwright's Chromium.")
    _try([sys.executable, "-m", "playwright", "install", "chromium"], say)


def _install_package(say: Say) -> None:
    _install("Browser", "chromium", say)


def _install(what: str, package: str, say: Say) -> None:
    apt = shutil.which("apt-get")
    if apt is None or not places.is_root():
        return
    say(f"{what}: installing Debian's package {package}.")
    if _try([apt, "update"], say):
        _try([apt, "install", "-y", "--no-install-recommends", package], say)


def _try(command: list[str], say: Say) -> bool:
    """Whether it succeeded within its time; the end of what it said when not."""
    try:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}  # no services are started
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=DOWNLOAD_SECONDS, env=environment
        )
    except subprocess.TimeoutExpired:
        say(f"No end within {DOWNLOAD_SECONDS} s: {' '.join(command)}")
        return False
    if done.returncode:
        say(f"Failed: {' '.join(command)}: {(done.stdout + done.stderr).strip()[-500:]}")
    return done.returncode == 0


def bring_all() -> None:
    """Everything the tests need besides the Python packages."""
    say(f"Temporal: {temporal_binary(say)}")
    say("Assets: built." if assets.build(say) else "Assets: up to date.")
    for folder in NPM_FOLDERS:
        assets.install(places.CHECKOUT / folder, find_node(), say)
    bring_browser()
    bring_scanner()


def run(passes: Sequence[Sequence[str]]) -> int:
    """pytest with each of these arguments, all of them whatever comes; one exit code for all."""
    return verdict([subprocess.run([sys.executable, "-m", "pytest", *each], check=False).returncode for each in passes])


def verdict(codes: Sequence[int]) -> int:
    """The first of pytest's exit codes that tells of a failure. One pass may find no test, not all of them."""
    failed = [code for code in codes if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)]
    return failed[0] if failed else min(codes)


def main() -> int:
    """Provision, run the tests, or those that the arguments name, say the total time; pytest's exit code."""
    start = time.monotonic()
    try:
        bring_all()
    except RuntimeError as error:
        say(str(error))
        return 1
    code = run([sys.argv[1:]] if sys.argv[1:] else PASSES)
    minutes, seconds = divmod(round(time.monotonic() - start), 60)
    say(f"Total time: {minutes} min {seconds} s")
    return code


if __name__ == "__main__":
    sys.exit(main())
