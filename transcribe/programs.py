"""`poe bench NAME` and `poe prove NAME`: run one file of `benchmarks/`; proofs are those named `prove_NAME.py`."""

import subprocess
import sys

from transcribe.embedded.places import CHECKOUT

FOLDER = CHECKOUT / "benchmarks"


def programs(kind: str) -> dict[str, str]:
    """File by name: `kind` is bench or prove."""
    stems = sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith(("_", "test_")))
    proofs = {stem.removeprefix("prove_"): stem for stem in stems if stem.startswith("prove_")}
    return proofs if kind == "prove" else {stem: stem for stem in stems if not stem.startswith("prove_")}


def main(kind: str, arguments: list[str]) -> int:
    """Run it with the arguments behind its name; an unknown name lists what there is."""
    known = programs(kind)
    if not arguments or arguments[0] not in known:
        print(f"Usage: uv run poe {kind} NAME. There is: {', '.join(known) or 'nothing yet'}.", file=sys.stderr)
        return 2
    module = f"benchmarks.{known[arguments[0]]}"
    return subprocess.run([sys.executable, "-m", module, *arguments[1:]], cwd=CHECKOUT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
