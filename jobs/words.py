"""How states, stages, lengths and sizes are said to people: sentence case, no jargon, ready for translation."""

import re
from collections.abc import Mapping
from math import nan
from typing import Any

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from jobs.models import Run, RunEvent, Segment
from jobs.progress import NO_MODEL, NO_WORKER, PLACES_SHOWN, Progress
from jobs.services import begin, quality
from jobs.services.finish import INFECTED, NOT_SCANNED, REFUSALS
from jobs.services.languages import LANGUAGES
from jobs.services.options import QUICK, THOROUGH
from jobs.states import FINAL, RunState
from jobs.stored import said

STATES: dict[str, Promise] = {
    RunState.QUEUED: gettext_lazy("Queued"),
    RunState.RUNNING: gettext_lazy("Running"),
    RunState.CANCELLING: gettext_lazy("Stopping"),
    RunState.SUCCEEDED: gettext_lazy("Done"),
    RunState.FAILED: gettext_lazy("Failed"),
    RunState.CANCELLED: gettext_lazy("Cancelled"),
}
STAGES: dict[str, Promise] = {
    begin.SCANNING: gettext_lazy("Looking for viruses"),
    begin.SCANNER_AWAY: gettext_lazy("Waiting for the virus scanner"),
    begin.PREPARING: gettext_lazy("Reading the recording"),
    begin.LISTENING: gettext_lazy("Working out the language"),
    begin.TRANSCRIBING: gettext_lazy("Writing down what is said"),
}
REASONS: dict[str, Promise] = {
    "cancelled": gettext_lazy("Stopped by you"),
    "workflow_lost": gettext_lazy("Started again after an interruption"),
    "workflow_closed": gettext_lazy("Started again after an interruption"),
}
NEXT_STEPS: dict[str, Promise] = {  # where running it again would fail again
    INFECTED: gettext_lazy("It cannot be run again. Check the device it comes from, then upload a clean copy."),
    NOT_SCANNED: gettext_lazy(
        "The recording is kept. Ask the operator to raise the scanner's limits, then run it again."
    ),
    "missing_file": gettext_lazy("The text written so far is kept."),
    "language_unknown": gettext_lazy(
        "The recording is kept. Choose another language or model under “Run again with other options”."
    ),
    "cannot_translate": gettext_lazy(
        "The recording is kept. Choose another model, or no translation, under “Run again with other options”."
    ),
}
DETAILS: dict[str, Promise] = {  # of codes the engine gives: its sentences stay English, it knows no catalogue
    "language_unknown": gettext_lazy("The model does not know this language."),
    "cannot_translate": gettext_lazy("The model cannot translate."),
}
DOUBTS: dict[str, Promise] = {  # of words, by the codes of `jobs.services.quality`
    quality.LOOP_CUT: gettext_lazy("The same words came over and over here. The repeats were left out."),
    quality.REPEATED: gettext_lazy("The same sentence was written several times in a row. It may not have been said."),
    quality.TOO_FAST: gettext_lazy("More words than anybody says in this time. They may not have been said."),
    quality.NO_SPEECH_HEARD: gettext_lazy("There may be no speech here."),
    quality.REPEATS_ITSELF: gettext_lazy("These words repeat themselves. They may not have been said."),
    quality.LOW_CONFIDENCE: gettext_lazy("The model was unsure of these words."),
}
MOMENT = re.compile(r"[0-9]{1,6}(:[0-9]{1,2}){0,2}([.][0-9]+)?")
ICONS = {
    RunState.QUEUED: "clock",
    RunState.RUNNING: "audio-lines",
    RunState.CANCELLING: "hourglass",
    RunState.SUCCEEDED: "circle-check",
    RunState.FAILED: "circle-alert",
    RunState.CANCELLED: "ban",
}


def state(run: Run) -> str:
    """One word for the state."""
    return str(STATES[RunState(run.state)])


def recognition(beam: int) -> str:
    """How carefully the engine listens, from the number of hypotheses it follows."""
    if beam == QUICK:
        return _("Quick")
    return _("Thorough") if beam == THOROUGH else _("Thorough (%(beam)d)") % {"beam": beam}


def recognition_choices(chosen: int) -> list[tuple[int, str]]:
    """By number of hypotheses: quick, thorough, and what was chosen by a program."""
    names = {beam: recognition(beam) for beam in sorted({QUICK, THOROUGH, chosen})}
    return list({**names, THOROUGH: _("Thorough, takes longer")}.items())


def stage(code: str) -> str:
    """What a running run is doing, as people say it; empty for a stage without a name."""
    return str(STAGES.get(code, ""))


def event(moved: RunEvent) -> str:
    """One line of the history: what began or ended, and why where a cause is known."""
    said = stage(moved.stage) or str(STATES[RunState(moved.state)])
    told = why(moved) if moved.state in FINAL else ""  # before the end it is for the operator: which stretch
    cause = told or str(REASONS.get(moved.reason, ""))
    return f"{said}: {cause}" if cause else said


def attempt(moved: RunEvent) -> str:
    """Which try it was, from the second on; empty for the first."""
    return _("attempt %(number)d") % {"number": moved.attempt} if (moved.attempt or 1) > 1 else ""


def can_run_again(run: Run | None) -> bool:
    """Whether "Run again" is offered: it has ended, and the recording was kept."""
    return run is not None and run.state in FINAL and run.reason not in REFUSALS


def length(seconds: float | None) -> str:
    """A length of time as "1 h 2 min", "5 min" or "42 s"."""
    if seconds is None:
        return ""
    whole = max(0, round(seconds))
    if whole < 60:
        return _("%(seconds)d s") % {"seconds": whole}
    minutes = round(whole / 60)
    if minutes < 60:
        return _("%(minutes)d min") % {"minutes": minutes}
    if not minutes % 60:
        return _("%(hours)d h") % {"hours": minutes // 60}
    return _("%(hours)d h %(minutes)d min") % {"hours": minutes // 60, "minutes": minutes % 60}


def clock(seconds: float) -> str:
    """A moment in the recording as 0:07, 12:03 or 1:02:03."""
    whole = max(0, int(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def seconds_of(text: str) -> float:
    """A moment as people write it (1:02, 1:02:03.5, 62) in seconds; NaN where it is none."""
    found = MOMENT.fullmatch(text.strip())
    return sum(60**place * float(each) for place, each in enumerate(reversed(found[0].split(":")))) if found else nan


def moment(seconds: float) -> str:
    """A moment as addresses name it: seconds, as exact as needed."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def size(count: int) -> str:
    """Bytes as "512 MB": powers of 1024, one decimal below 10."""
    value, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    number = number_format(value, 1).removesuffix(number_format(0.0, 1)[1:]) if value < 10 else f"{value:.0f}"
    return f"{number} {_('bytes') if unit == 'bytes' else unit}"


def language(code: str) -> str:
    """The name of a language code, capitalised, in the reader's language; the code itself where it is unknown."""
    return _(LANGUAGES[code].capitalize()) if code in LANGUAGES else code.capitalize()


def left(progress: Progress) -> str:
    """Time left as "about 3 min left"; empty where nothing is known."""
    if progress.left is None:
        return ""
    if progress.left < 5:
        return _("a few seconds left")
    return _("about %(length)s left") % {"length": length(progress.left)}


def place(progress: Progress) -> str:
    """Place in the queue; empty where there is none."""
    if progress.place is None or progress.place < 1:
        return ""
    if progress.place > PLACES_SHOWN:
        return _("more than %(count)d before it") % {"count": PLACES_SHOWN}
    before = progress.place - 1
    if not before:
        return _("next in line")
    return ngettext("%(count)d before it", "%(count)d before it", before) % {"count": before}


def doubt(segment: Segment) -> str:
    """Why these words may be wrong; empty where nothing speaks against them."""
    return next((said for entry in quality.doubts(segment) if (said := _of_words(entry.code, entry.language))), "")


def _of_words(code: str, spoken: str) -> str:
    """A doubt about words as a sentence; empty for a code of a newer version."""
    if code == quality.OTHER_LANGUAGE:
        return _("This sounds like %(language)s.") % {"language": language(spoken)}
    return str(DOUBTS.get(code, ""))


def remark(entry: Mapping[str, Any]) -> str:
    """An entry of the quality report as a sentence; empty for a code of a newer version."""
    match entry["code"]:
        case quality.NO_TEXT:
            spoken = length(entry["measure"])
            return _("Somebody seems to speak for %(length)s, but nothing was written.") % {"length": spoken}
        case quality.NOT_HEARD:
            return _("This part was never transcribed, because that was cancelled before.")
        case quality.CRASHED:
            return _("Listening to this part broke off once and was begun again.")
        case quality.LOW_CONFIDENCE:
            percent = round(100 * entry["measure"])
            return _("The model was unsure of these words: %(percent)d %%.") % {"percent": percent}
    return _of_words(entry["code"], entry.get("language", ""))


def part(run: Run) -> str:
    """Of a run that heard a part again: "1:02 to 1:40"; empty for a whole one."""
    if run.span_start is None or run.span_end is None:
        return ""
    return _("%(start)s to %(end)s") % {"start": clock(run.span_start), "end": clock(run.span_end)}


def waiting(run: Run, progress: Progress) -> str:
    """Beside "Queued" in a list: the place, or what it waits for."""
    if progress.place == NO_WORKER:
        return _("no worker is running")
    if progress.place == NO_MODEL:
        return _("no worker with %(model)s") % {"model": run.model}
    return place(progress)


def sentence(run: Run, progress: Progress, *, silent: bool) -> str:
    """What is going on with this recording and what to do next, in at most three short sentences."""
    match RunState(run.state):
        case RunState.QUEUED:
            return _queued(run, progress)
        case RunState.RUNNING:
            return _running(run, progress)
        case RunState.CANCELLING:
            return _("The text written so far stays.")
        case RunState.SUCCEEDED:
            return _("No speech was found in this recording.") if silent else _("The transcript is ready.")
        case RunState.CANCELLED:
            return _("The text written so far stays; you can run it again.")
        case RunState.FAILED:
            return why(run) or _("The transcription stopped unexpectedly.")


def why(ended: Run | RunEvent) -> str:
    """Why it ended, as a sentence; empty where nobody said."""
    return str(DETAILS.get(ended.reason, "")) or said(ended.detail)


def next_step(run: Run) -> str:
    """After a failure: what was kept, and what to do."""
    if run.reason in NEXT_STEPS:
        return str(NEXT_STEPS[run.reason])
    if run.reason in REFUSALS:
        return _("The file was not kept, because there is nothing to transcribe in it.")
    return _("The recording and the text written so far are kept. Run it again; if it fails again, tell the operator.")


def _queued(run: Run, progress: Progress) -> str:
    if progress.place == NO_WORKER:
        return _("No worker is running. The recording is kept, and its transcription starts by itself once one is.")
    if progress.place == NO_MODEL:
        waiting = _("Waiting for a worker with the model %(model)s.") % {"model": run.model}
        return waiting + " " + _("Cancel it to choose another model.")
    return _("Waiting in the queue: %(place)s.") % {"place": place(progress) or _("place not known yet")}


def _running(run: Run, progress: Progress) -> str:
    doing = stage(run.stage) or _("Working")
    if progress.percent is None:
        return _("%(doing)s.") % {"doing": doing}
    facts = _("%(percent)d %% done") % {"percent": progress.percent}
    time = left(progress)
    return f"{doing}: {facts}, {time}." if time else f"{doing}: {facts}."
