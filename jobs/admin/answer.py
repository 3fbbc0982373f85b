"""Why it is slow, in a sentence: the first cause that holds, from the one that stops everything to the usual one."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs import words
from jobs.admin.standing import Model, Standing

STUCK_SECONDS = 60.0  # a scheduler looks every few seconds
START = "manage.py worker"


def answer(now: Standing) -> str:
    waiting = [model for model in now.models if model.line.waiting]
    if not now.processes:
        return _no_worker(now.queue.waiting)
    if not waiting:
        return _nothing_waits(now.running)
    if now.disk_full:
        return _("The disk is nearly full, so nothing new begins. Make room on the disk that holds the recordings.")
    if missing := [model for model in waiting if not model.slots]:
        return _no_model(missing[0])
    if any(model.line.running < model.slots for model in waiting):
        return _with_room(now)
    return _busy(now, waiting)


def _no_worker(waiting: int) -> str:
    told = _("No worker is alive: start one with `%(command)s`.") % {"command": START}
    if not waiting:
        return told
    count = ngettext("%(count)d recording waits for it.", "%(count)d recordings wait for it.", waiting)
    return told + " " + count % {"count": waiting}


def _nothing_waits(running: int) -> str:
    if not running:
        return _("Nothing waits.")
    under_way = ngettext(
        "%(count)d recording is being transcribed.", "%(count)d recordings are being transcribed.", running
    )
    return _("Nothing waits.") + " " + under_way % {"count": running}


def _no_model(model: Model) -> str:
    told = ngettext(
        "%(count)d recording waits for the model %(model)s, which no worker has.",
        "%(count)d recordings wait for the model %(model)s, which no worker has.",
        model.line.waiting,
    ) % {"count": model.line.waiting, "model": model.name}
    return told + " " + _("Start a worker with it: `%(command)s`.") % {"command": f"{START} --model {model.name}"}


def _with_room(now: Standing) -> str:
    if now.queue.oldest_seconds > STUCK_SECONDS:
        told = _("Recordings wait although workers have room.")
        return told + " " + _("Temporal may be away: run `manage.py preflight --role worker` there.")
    count = now.queue.waiting
    told = ngettext("%(count)d recording waits.", "%(count)d recordings wait.", count) % {"count": count}
    return told + " " + _("There is room, so it goes on in a moment.")


def _busy(now: Standing, waiting: list[Model]) -> str:
    count = now.queue.waiting
    told = ngettext("%(count)d recording waits because %(who)s.", "%(count)d recordings wait because %(who)s.", count)
    told = told % {"count": count, "who": _who(len(now.processes))}
    begins = [model.begins for model in waiting]
    known = [seconds for seconds in begins if seconds is not None]
    if len(known) < len(begins):
        return told
    when = ngettext(
        "At the present speed it begins in about %(time)s.",
        "At the present speed the last begins in about %(time)s.",
        count,
    )
    return told + " " + when % {"time": words.length(max(known))}


def _who(workers: int) -> str:
    if workers == 1:
        return _("the only worker is busy")
    return _("both workers are busy") if workers == 2 else _("all %(count)d workers are busy") % {"count": workers}
