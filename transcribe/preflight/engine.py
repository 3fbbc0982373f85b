"""What engines need: weights that are there and the ones meant, and the GPU where one is wanted."""

from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from jobs.models import Checkpoint
from transcribe.preflight.findings import Finding, failed, ok, warning
from worker.engine import machine
from worker.model import ModelMissing, Weights, digest, locate


def checkpoints() -> Iterator[Finding]:
    """Of all models of the settings. Nothing is fetched."""
    recorded = dict(Checkpoint.objects.values_list("name", "sha256"))
    folder = Path(settings.MODEL_FOLDER) if settings.MODEL_FOLDER else None
    for name, what in settings.MODELS.items():
        try:
            yield _weights(name, locate(what, folder), recorded.get(name, ""))
        except ModelMissing as error:
            yield failed(f"The model {name} cannot be had. {error}", "Correct WHISPER_MODEL or WHISPER_MODELS.")


def _weights(name: str, found: Weights, recorded: str) -> Finding:
    if not found.path.is_file():
        fix = f"Let the first worker fetch it, or put it to {found.path}."
        return warning(f"The weights of the model {name} are not on this machine.", fix)
    try:
        present = digest(found.path)
    except OSError as error:
        return failed(f"{found.path} cannot be read: {error.strerror}.", "Let this process's account read it.")
    if found.sha256 not in ("", present):
        return failed(
            f"{found.path} is not what its publisher offers: cut short, or changed.", "Delete it; it is fetched anew."
        )
    demo = found.path == settings.DEMO_CHECKPOINT  # it changes with the code, and its hash with it
    if recorded not in ("", present) and not demo:
        fix = f"Bring the old weights back, or run `manage.py confirm_model {name}` when they were replaced on purpose."
        return failed(f"The weights of the model {name} are not those recorded at the first load.", fix)
    return ok(f"The weights of the model {name} are there ({present[:12]}).")


def graphics(*, wanted: bool) -> Iterator[Finding]:
    """`wanted`: a GPU was asked for. Else one that the machine has and torch does not see is worth a warning."""
    there, found = machine.has_gpu_files(), machine.probe()
    if found:
        yield ok(f"torch sees {len(found)}: {', '.join(found)}.")
    elif wanted and not there:
        fix = "Install the driver; in a container, hand the GPU in (profile `gpu`, NVIDIA's container toolkit)."
        yield failed("No GPU is on this machine, and one was asked for.", fix)
    elif there:
        say = failed if wanted else warning
        yield say(
            "This machine has a GPU, and torch does not see it.",
            "Use the image built with TORCH=cuda, and a driver that fits it.",
        )
    else:
        yield ok("There is no GPU; engines use the processor.")
