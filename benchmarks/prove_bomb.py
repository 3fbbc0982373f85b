"""`poe prove bomb [--bytes N]`: 1 GiB that nobody asked for, as a form, to addresses of all kinds, without signing in.

Refused within a second, at most 1 MiB read by the server, its memory grows by at most 64 MiB; exits 1 otherwise.
"""

import argparse
import sys

from transcribe.bomb import PATHS, throw
from transcribe.drill import Drill
from transcribe.embedded import places

MIB = 1 << 20
READ_GOAL, MEMORY_GOAL, SECONDS_GOAL = MIB, 64 * MIB, 1.0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bytes", type=int, default=1 << 30)
    chosen = parser.parse_args(arguments)
    drill = Drill(places.scratch(), say=lambda line: None)
    drill.start()
    try:
        found = {}
        for told in (True, False):
            for path in PATHS:
                seen = throw(drill.stack.port, drill.stack.pid("web"), path, chosen.bytes, told=told)
                how = "length told" if told else "chunked"
                print(
                    f"{path:<18} {how:<12} {seen.status} after {seen.seconds * 1000:4.0f} ms, {seen.read / MIB:.2f} "
                    f"MiB read, memory +{seen.growth / MIB:.1f} MiB; {seen.sent / MIB:.1f} MiB had left the client",
                    flush=True,
                )
                found[path, told] = seen
    finally:
        drill.stop()
    worst = (
        max(seen.seconds for seen in found.values()),
        max(seen.read for seen in found.values()),
        max(seen.growth for seen in found.values()),
    )
    held = (
        all(seen.status in (401, 412, 413) for seen in found.values())
        and worst[0] <= SECONDS_GOAL
        and worst[1] <= READ_GOAL
        and worst[2] <= MEMORY_GOAL
    )
    print(
        f"slowest {worst[0]:.2f} s (goal <= {SECONDS_GOAL:.0f}), most read {worst[1] / MIB:.2f} MiB (goal <= 1), "
        f"memory +{worst[2] / MIB:.1f} MiB (goal <= {MEMORY_GOAL / MIB:.0f}): {'held' if held else 'missed'}"
    )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
