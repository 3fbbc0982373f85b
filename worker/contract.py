"""What crosses Temporal: queue names, frozen dataclasses, and activity stubs the workflow calls by name.

The real bodies are registered under the same names by `worker.activities`. Only ids and numbers pass here, never text
or audio: a workflow history is kept, and read, by others. Importing a body here would drag Django into the sandbox.
"""

from dataclasses import dataclass

from temporalio import activity

MEDIA_QUEUE = "media"  # workflows, database and disk, decode at most one at a time for each worker
RENDITION_QUEUE = "rendition"  # one at a time for each worker: a queue of its own, so that they hold up nothing else
WORKFLOW = "transcribe"
SLOTS = "slots"  # the signal that says how many spans may be outstanding from now on


def transcribe_queue(model: str) -> str:
    """The queue that engine slots of this model poll."""
    return f"transcribe-{model}"


@dataclass(frozen=True)
class RunRef:
    run_id: str


@dataclass(frozen=True)
class SpanRef:
    run_id: str
    span: int


@dataclass(frozen=True)
class Start:
    """The workflow's input: everything that may differ between deployments travels with the run."""

    run_id: str
    model: str
    heartbeat_seconds: int
    spans_at_once: int


@dataclass(frozen=True)
class Inspection:
    """`spans` left to hear, whether the language must be voted on first, and whether browsers need a rendition.

    Histories from before there were renditions know nothing of the last, and are replayed without.
    """

    spans: int
    vote_needed: bool
    rendition: bool = False


@dataclass(frozen=True)
class Failure:
    """`code` and `detail` of a refusal; both are written by us and hold no file name and no text."""

    run_id: str
    code: str
    detail: str


@activity.defn
def inspect(run: RunRef) -> Inspection:
    """Probe, decode, detect speech and store the plan of windows."""
    raise NotImplementedError


@activity.defn
def vote_language(run: RunRef) -> None:
    """Decide the run's language over several speech windows."""
    raise NotImplementedError


@activity.defn
def transcribe_span(span: SpanRef) -> None:
    """Hear the windows of a span that are not done, batch by batch."""
    raise NotImplementedError


@activity.defn
def make_rendition(run: RunRef) -> None:
    """Write the sound of the recording in a form that browsers play. Whatever comes of it, the run goes on."""
    raise NotImplementedError


@activity.defn
def finish_run(run: RunRef) -> None:
    """Mark the run succeeded and remove its samples."""
    raise NotImplementedError


@activity.defn
def fail_run(failure: Failure) -> None:
    """Mark the run failed with its reason."""
    raise NotImplementedError
