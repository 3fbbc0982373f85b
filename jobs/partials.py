"""What templates need: fragments rendered once for page, htmx and socket.

A fragment is one root element with an id. Sent over a socket it carries `hx-swap-oob`, so htmx finds its place itself.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from jobs import exports, words
from jobs.listening import player_of
from jobs.models import Job, Run, RunEvent, Segment
from jobs.progress import Progress, progress_of
from jobs.services.another import was_infected
from jobs.services.finish import REFUSALS
from jobs.services.hints import HOT_WORDS_CHARACTERS, PROMPT_CHARACTERS
from jobs.services.languages import LANGUAGES
from jobs.services.offers import offers
from jobs.services.options import QUICK, stored_options
from jobs.services.part import PART_OF
from jobs.services.retry import whole_run
from jobs.states import FINAL, RunState

FIRST_LANGUAGES = ("en", "de")  # of every list of them
SEGMENTS_AT_ONCE = 200  # in the page itself: the first text is there at once
EARLIER_SHOWN = 10  # transcriptions of the same recording before the current one
REMARKS_AT_ONCE = 3  # of the quality report; the others unfold
SEGMENTS_AFTER = 1000  # in each later part, which the page fetches by itself


@dataclass(frozen=True)
class Part:
    """A stretch of a transcript; `rest` is the query that asks for the next one, empty at the end.

    `after`: where the next one begins, in seconds, if it follows in time.
    """

    segments: Sequence[Segment]
    rest: str = ""
    after: float | None = None


@dataclass(frozen=True)
class Row:
    """What the row template needs for a job."""

    job: Job
    run: Run | None
    progress: Progress


def rows(jobs: Sequence[Job]) -> list[Row]:
    """In seven queries at most however many there are."""
    progress = progress_of([job.current_run for job in jobs if job.current_run], timezone.now())
    return [Row(job, job.current_run, _of(job.current_run, progress)) for job in jobs]


def render_row(row: Row) -> str:
    """A dashboard row as an out-of-band swap; a page without that row ignores it.

    Fragments know the active language and not who reads them: one text is sent to all who may see the job.
    """
    return render_to_string("jobs/_row.html", {**vars(row), "oob": True})


def render_gone(job_id: UUID) -> str:
    """What a dashboard is sent when a job was deleted: its row leaves."""
    return format_html('<li id="job-{}" hx-swap-oob="delete"></li>', job_id)


def render_head(row: Row) -> str:
    """The live parts of the job page but its text: status, facts and history."""
    return render_to_string("jobs/_live.html", {**job_context(row.job, row.progress), "oob": True})


def render_texts(run: Run, afters: Sequence[int]) -> dict[int, tuple[str, int]]:
    """For each of these segment ids the newest segments with a higher one, and the highest id they reach (itself where
    there is none): a page passes that next time, 0 for the first.

    At most SEGMENTS_AT_ONCE segments, in the order they were stored; `live.js` puts them into time order, drops
    doubles, and fetches what lies between the page and the oldest one sent: all up to the id `data-before`.
    """
    stored = list(run.segments.filter(pk__gt=min(afters)).order_by("-pk")[: SEGMENTS_AT_ONCE + 1])[::-1]
    left_out = stored[0].pk if len(stored) > SEGMENTS_AT_ONCE else 0
    sent = stored[-SEGMENTS_AT_ONCE:]
    keys, items = [segment.pk for segment in sent], [_render_segment(run, segment) for segment in sent]
    return {after: _text(items[bisect_right(keys, after) :], max(left_out, after), [after, *keys]) for after in afters}


def job_context(job: Job, progress: Progress | None = None) -> dict[str, object]:
    """What the job page and its fragments need besides the transcript; `progress` where it is known already."""
    run = job.current_run
    progress = progress or _of(run, progress_of([run], timezone.now()) if run else {})
    has_text = run is not None and run.segments.exists()
    silent = run is not None and run.state == RunState.SUCCEEDED and not has_text
    refused = run is not None and run.state == RunState.FAILED and run.reason in REFUSALS
    removed = _was_removed(job)
    return {
        "job": job,
        "run": run,
        "progress": progress,
        "sentence": words.sentence(run, progress, silent=silent) if run else "",
        "silent": silent,
        "has_text": has_text,
        "refused": refused,
        "removed": removed and not refused,
        "file_gone": removed or refused,
        "open": run is not None and run.state not in FINAL,
        "asked": stored_options(run.options) if run else None,
        **_again(None if removed or refused else run),
        **_remarks(run),
        "history": _history(run) if run else [],
        "earlier": list(job.runs.exclude(pk=run.pk).order_by("-number")[:EARLIER_SHOWN]) if run else [],
        "player": player_of(job),
        "retention_days": settings.RETENTION_DAYS,
        "formats": exports.FORMATS,
    }


def upload_options(beam: int = QUICK) -> dict[str, object]:
    """What can be chosen for a run, as JSON knows it, for forms and for the upload script.

    `{"languages": [[code, name], ...], "models": [{"name", "translates", "english_only"}, ...], "default_model": name,
    "translates": whether any model does, "beams": [[number, name], ...], "prompt_limit" and "hot_words_limit" in
    characters}`; the default model comes first, and the chosen `beam` is among the beams. Names are in the active
    language.
    """
    models = [{"name": o.model, "translates": o.translates, "english_only": o.english_only} for o in offers()]
    rest = sorted((code for code in LANGUAGES if code not in FIRST_LANGUAGES), key=words.language)
    return {
        "languages": [[code, words.language(code)] for code in (*FIRST_LANGUAGES, *rest)],
        "models": models,
        "default_model": models[0]["name"],
        "translates": any(model["translates"] for model in models),
        "beams": words.recognition_choices(beam),
        "prompt_limit": PROMPT_CHARACTERS,
        "hot_words_limit": HOT_WORDS_CHARACTERS,
    }


def last_segment(run: Run | None) -> int:
    """The highest segment id stored for this run so far; 0 where there is none."""
    last = run.segments.order_by("-pk").values_list("pk", flat=True).first() if run else None
    return last or 0


def transcript_part(run: Run | None, after: str = "", limit: int = SEGMENTS_AT_ONCE) -> Part:
    """The next `limit` segments in time order after the mark `after` ("start_id"); ValueError for a bad mark."""
    if run is None:
        return Part([])
    found = list(_beyond(run, after)[: limit + 1])
    if len(found) <= limit:
        return Part(found)
    last = found[limit - 1]
    return Part(found[:limit], rest=f"after={last.start!r}_{last.pk}", after=last.start)


def missed_part(run: Run, newer: int, limit: int = SEGMENTS_AFTER) -> Part:
    """The segments stored after the id `newer`, oldest id first: what a page missed while it was not listening."""
    found = list(run.segments.filter(pk__gt=newer).order_by("pk")[: limit + 1])
    return Part(found[:limit], rest=f"newer={found[limit - 1].pk}" if len(found) > limit else "")


def _render_segment(run: Run, segment: Segment) -> SafeString:
    context = {"job": run.job, "run": run, "segments": [segment], "oob": True}
    return render_to_string("jobs/_segments.html", context)


def _text(items: Sequence[SafeString], before: int, keys: Sequence[int]) -> tuple[str, int]:
    html = render_to_string("jobs/_heard.html", {"items": items, "before": before}) if items else ""
    return html, max(keys)


def _beyond(run: Run, after: str) -> QuerySet[Segment]:
    segments = run.segments.order_by("start", "pk")
    if not after:
        return segments
    start, key = after.split("_")
    return segments.filter(Q(start__gt=float(start)) | Q(start=float(start), pk__gt=int(key)))


def _again(run: Run | None) -> dict[str, object]:
    """For "run again with other options": what can be chosen, and what was. A run under way costs no query."""
    if run is None or run.state not in FINAL:
        return {}
    chosen = stored_options(whole_run(run).options)
    options = upload_options(chosen.beam)
    found: dict[str, object] = {"options": options, "chosen": chosen, "parts": run.state in PART_OF}
    part_chosen = replace(chosen, language=chosen.language or run.language, model=chosen.model or run.model)
    return found | {"part_options": {**options, "translates": False}, "part_chosen": part_chosen}


def _remarks(run: Run | None) -> dict[str, object]:
    """The quality report as sentences, the first of them shown at once; nothing before it is made."""
    report = run.report if run is not None else None
    if not report:
        return {}
    said = [_remark(entry) for entry in report["entries"]]
    remarks = [remark for remark in said if remark["sentence"]]
    hidden = max(0, len(remarks) - REMARKS_AT_ONCE) + int(report["more"])
    return {"remarks": remarks, "shown_at_once": REMARKS_AT_ONCE, "remarks_hidden": hidden}


def _remark(entry: Mapping[str, Any]) -> dict[str, Any]:
    """`value` is what the button of the entry sends: where the part is, and the language to hear it in."""
    spoken = str(entry.get("language", ""))
    value = f"{entry['start']:.3f}-{entry['end']:.3f}" + (f"-{spoken}" if spoken else "")
    act = _("Hear this part again")
    if spoken:
        act = _("Hear this part in %(language)s") % {"language": words.language(spoken)}
    return {**entry, "sentence": words.remark(entry), "value": value, "act": act}


def _was_removed(job: Job) -> bool:
    """Whether a virus was found, perhaps by a later run than the one whose text is shown."""
    run = job.current_run
    return run is not None and run.state in FINAL and not job.path.exists() and was_infected(job)


def _history(run: Run) -> list[RunEvent]:
    """The moves as people want them: a stage entered once more (the next stretch) is not said again, but another
    attempt is."""
    told: list[RunEvent] = []
    for event in run.events.order_by("pk"):
        last = told[-1] if told else None
        again = last is not None and words.event(event) == words.event(last)
        if last is None or not again or (event.attempt or 1) > (last.attempt or 1):
            told.append(event)
    return told


def _of(run: Run | None, progress: dict[UUID, Progress]) -> Progress:
    return progress.get(run.pk, Progress()) if run else Progress()
