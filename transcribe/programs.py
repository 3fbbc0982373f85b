"""`poe bench NAME` and `poe prove NAME`: run one file of `benchmarks/`; proofs are those named `prove_NAME.py`.

`poe bench` without a name, or with `all`, runs every benchmark.
"""

import subprocess
import sys

from transcribe.embedded.places import CHECKOUT

FOLDER = CHECKOUT / "benchmarks"
ALL = "all"
NOT_HERE = 3  # what a benchmark ends with that this machine cannot run: no failure


def programs(kind: str) -> dict[str, str]:
    """File by name: `kind` is bench or prove."""
    stems = sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith(("_", "test_")))
    proofs = {stem.removeprefix("prove_"): stem for stem in stems if stem.startswith("prove_")}
    return proofs if kind == "prove" else {stem: stem for stem in stems if not stem.startswith("prove_")}


def main(kind: str, arguments: list[str]) -> int:
    """Run it with the arguments behind its name; an unknown name lists what there is."""
    known = programs(kind)
    if kind == "bench" and arguments in ([], [ALL]):
        return run_all(known)
    if not arguments or arguments[0] not in known:
        print(f"Usage: uv run poe {kind} NAME. There is: {', '.join(known) or 'nothing yet'}.", file=sys.stderr)
        return 2
    return run(known[arguments[0]], arguments[1:])


def run_all(known: dict[str, str]) -> int:
    """One after another, whatever becomes of each; then which did not reach their goals."""
    ended = {}
    for name, stem in known.items():
        print(f"\n== {name}", flush=True)
        ended[name] = run(stem, [])
    failed = [name for name, code in ended.items() if code not in (0, NOT_HERE)]
    absent = [name for name, code in ended.items() if code == NOT_HERE]
    print(f"\n{len(ended)} benchmarks; failed: {', '.join(failed) or 'none'}; not here: {', '.join(absent) or 'none'}")
    return 1 if failed else 0


def run(stem: str, arguments: list[str]) -> int:
    module = f"benchmarks.{stem}"
    return subprocess.run([sys.executable, "-m", module, *arguments], cwd=CHECKOUT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
