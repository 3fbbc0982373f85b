"""`poe prove upload [--bytes N] [--cuts N] [--kills N] [--seed N]`: nothing is lost, nothing twice.

One upload of 1 GiB in 8 MiB pieces through a proxy that resets connections at 50 random bytes, while the web process is
killed at 10 others and started again by its supervisor. Same SHA-256, one recording, at most one piece sent twice for
each disturbance; exits 1 otherwise.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from transcribe.breaking import Cutter, random_places
from transcribe.drill import Drill
from transcribe.embedded import places
from transcribe.stubborn import Stubborn, sha256_of

MIB = 1 << 20
CHUNK_BYTES = 8 * MIB
FILES = "SELECT size, sha256 FROM jobs_job"


def prove(drill: Drill, file: Path, cutter: Cutter) -> list[str]:
    """Upload through the disturbances; what was not as it should be."""
    client = Stubborn(cutter.port, {**drill.headers(), "Tus-Resumable": "1.0.0"}, CHUNK_BYTES)
    began = time.monotonic()
    job = client.upload(file)
    seconds = time.monotonic() - began
    stored = drill.stack.data / "media" / "jobs" / job / "source"
    disturbances = cutter.cuts + cutter.kills
    size, again = file.stat().st_size, client.again or [0]
    print(f"{size / MIB:.0f} MiB in {seconds:.0f} s; {cutter.cuts} cuts, {cutter.kills} kills of the web process")
    print(
        f"sent twice after a disturbance: at most {max(again) / MIB:.2f} MiB (a piece is {CHUNK_BYTES / MIB:.0f} MiB)"
    )
    print(f"bytes on the wire: {cutter.passed / size:.4f} x the file; pieces ended by {dict(client.ended)}")
    true = (size, sha256_of(file))
    checks = {
        "one recording": drill.rows(FILES) == [true],
        "the same bytes": (stored.stat().st_size, sha256_of(stored)) == true,
        "at most one piece twice": max(again) <= CHUNK_BYTES and cutter.passed - size <= disturbances * CHUNK_BYTES,
        "no unfinished upload": drill.rows("SELECT 1 FROM jobs_upload WHERE job_id IS NULL") == [],
        "no other file": list((drill.stack.data / "media" / "uploads").iterdir()) == [],
    }
    for name, held in checks.items():
        print(f"{name}: {'yes' if held else 'NO'}")
    return [name for name, held in checks.items() if not held]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, default in {"bytes": 1 << 30, "cuts": 50, "kills": 10, "seed": 4}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    chosen = parser.parse_args(arguments)
    drill = Drill(places.scratch(), say=lambda line: None)
    drill.start()
    with tempfile.TemporaryDirectory() as folder:
        try:
            drill.stack.hold("worker")  # it would find that this is no recording, and remove it
            file = Path(folder) / "recording"
            with file.open("wb") as target:
                for start in range(0, chosen.bytes, MIB):
                    target.write(os.urandom(min(MIB, chosen.bytes - start)))
            plan = random_places(chosen.bytes, chosen.cuts, chosen.kills, chosen.seed)
            cutter = Cutter(drill.stack.port, plan, lambda: drill.stack.kill("web"))
            missed = prove(drill, file, cutter)
            disturbed = (cutter.cuts, cutter.kills) == (chosen.cuts, chosen.kills)
        finally:
            drill.stop()
    print(f"seed {chosen.seed}: " + (f"failed: {missed}" if missed else "held"))
    return 0 if disturbed and not missed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
