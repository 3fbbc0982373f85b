"""Hear a part again: a new run with the text of the last one, but for the part, whose windows are planned anew.

The part is widened to whole segments, so that no text is doubled or lost where old and new meet. The old text is copied
at once: the page goes on showing it, and where the new run fails or is cancelled, `jobs.services.moves` gives the
recording its old run back.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import isfinite
from uuid import UUID

from jobs.errors import Conflict, JobError
from jobs.models import Job, Run, Segment, Window
from jobs.services.another import another
from jobs.services.options import Options, check_options, stored_options
from jobs.services.retry import whole_run
from jobs.services.submit import add_run
from jobs.states import RunState

MARGIN = 0.2  # seconds: engines clip first words, and times of segments are rough; taken where nothing else is said
SHORTEST = 0.1  # seconds
AT_ONCE = 1000
PART_OF = frozenset({RunState.SUCCEEDED, RunState.CANCELLED})  # of a run that failed nobody knows how much is there
type Bounds = tuple[float, float]


def hear_part(job: Job, start: float, end: float, options: Options | None = None, *, run_id: UUID | None = None) -> Run:
    """Queue a run that hears `start` to `end` (seconds) again, widened to whole segments (`Run.span_start`,
    `Run.span_end`).

    Without `options` those of the recording's last whole run; its task stays in any case, and its language where none
    is chosen. JobError `bad_part`, or as `check_options`; Conflict while a run is under way, where there is no
    transcript to go on from, or when the file was not kept. `run_id` as in `retry`.
    """
    return another(job, run_id, lambda locked: _part_of(locked, (start, end), options, run_id))


def _part_of(job: Job, part: Bounds, options: Options | None, run_id: UUID | None) -> Run:
    parent = job.current_run
    if parent is None or parent.state not in PART_OF:
        raise Conflict("There is no finished transcript that a part could be put into. Run the whole again.")
    start, end = _checked(*part, job.duration)
    whole = whole_run(parent)
    chosen = options or stored_options(whole.options)
    chosen = replace(chosen, task=parent.task, model=chosen.model or whole.model)
    check_options(replace(chosen, language=chosen.language or parent.language or None))
    span_start, span_end = widened(parent.segments.values_list("start", "end"), start, end, job.duration or end)
    known = {"language": parent.language, "language_probability": parent.language_probability}
    run = add_run(job, chosen, run_id, parent=parent, span_start=span_start, span_end=span_end, **known)
    _copy_rest(parent, run, (span_start, span_end))
    return run


def widened(segments: Iterable[Bounds], start: float, end: float, length: float) -> Bounds:
    """The part with every segment that reaches into it as a whole, and a margin where nothing else is said."""
    bounds = list(segments)
    while True:
        inside = [each for each in bounds if reaches_into(each, (start, end))]
        wider = min([start, *(s for s, _ in inside)]), max([end, *(e for _, e in inside)])
        if wider == (start, end):
            break
        start, end = wider
    before = max((e for _, e in bounds if e <= start), default=0.0)
    after = min((s for s, _ in bounds if s >= end), default=length)
    return min(start, max(before, round(start - MARGIN, 3))), max(end, min(after, round(end + MARGIN, 3)))


def reaches_into(segment: Bounds, part: Bounds) -> bool:
    """Whether the segment is replaced when the part is heard again; it is kept otherwise."""
    (start, end), (first, last) = segment, part
    return (start < last and end > first) or (start == end and first <= start <= last)


def _checked(start: float, end: float, duration: float | None) -> Bounds:
    end = end if duration is None else min(end, duration)
    if not (isfinite(start) and isfinite(end) and start >= 0 and end - start >= SHORTEST):
        raise JobError(
            "This is no part of the recording. Say from where to where, such as 1:02 to 1:40.", code="bad_part"
        )
    return start, end


def _copy_rest(parent: Run, run: Run, part: Bounds) -> None:
    """What was heard outside the part; windows that reach into it are cut there."""
    said: dict[int, list[Segment]] = defaultdict(list)
    for segment in parent.segments.order_by("start", "pk"):
        if not reaches_into((segment.start, segment.end), part):
            said[segment.window_id].append(segment)
    windows: list[Window] = []
    texts: list[Sequence[Segment]] = []
    for window in parent.windows.exclude(done_at=None).order_by("start"):
        for piece, segments in _outside(window, said[window.pk], part):
            windows.append(_window(run, len(windows), window, piece))
            texts.append(segments)
    Window.objects.bulk_create(windows, batch_size=AT_ONCE)
    copies = [_segment(run, w, i, s) for w, text in zip(windows, texts, strict=True) for i, s in enumerate(text)]
    Segment.objects.bulk_create(copies, batch_size=AT_ONCE)


def _outside(window: Window, said: Sequence[Segment], part: Bounds) -> Iterator[tuple[Bounds, list[Segment]]]:
    """The pieces of a window before and behind the part, with what is said in each."""
    first, last = part
    if window.start < first:
        yield (window.start, min(window.end, first)), [s for s in said if s.end <= first]
    if window.end > last:
        yield (max(window.start, last), window.end), [s for s in said if s.start >= last]


def _window(run: Run, index: int, heard: Window, bounds: Bounds) -> Window:
    evidence = {"engine_deaths": heard.engine_deaths, "done_at": heard.done_at}
    return Window(run=run, index=index, span=0, batch=0, start=bounds[0], end=bounds[1], **evidence)


def _segment(run: Run, window: Window, index: int, heard: Segment) -> Segment:
    kept = {field.attname: getattr(heard, field.attname) for field in Segment._meta.concrete_fields}
    return Segment(**kept | {"id": None, "run_id": run.pk, "window_id": window.pk, "index": index})
