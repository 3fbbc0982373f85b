"""`uv run poe test`: bring what the tests need and this machine lacks, each with a line, then run them.

Nothing is skipped silently: what cannot be had ends here, with the name of what to install.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from transcribe.embedded import assets, places
from transcribe.embedded.node import find_node
from transcribe.embedded.temporal_binary import temporal_binary

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DOWNLOAD_SECONDS = 600
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
    apt = shutil.which("apt-get")
    if apt is None or not places.is_root():
        return
    say("Browser: installing Debian's package chromium.")
    if _try([apt, "update"], say):
        _try([apt, "install", "-y", "--no-install-recommends", "chromium"], say)


def _try(command: list[str], say: Say) -> bool:
    """Whether it succeeded within its time; the end of what it said when not."""
    try:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
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
    assets.install(places.CHECKOUT / "accounts/testing/provider", find_node(), say)
    bring_browser()


def main() -> int:
    """Provision, run pytest with the arguments given, say the total time; pytest's exit code."""
    start = time.monotonic()
    try:
        bring_all()
    except RuntimeError as error:
        say(str(error))
        return 1
    code = subprocess.run([sys.executable, "-m", "pytest", *sys.argv[1:]], check=False).returncode
    minutes, seconds = divmod(round(time.monotonic() - start), 60)
    say(f"Total time: {minutes} min {seconds} s")
    return code


if __name__ == "__main__":
    sys.exit(main())
