"""Filters and one tag that say facts the way people read them."""

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from pathlib import Path

from django import template
from django.conf import settings
from django.utils import timezone
from django.utils.safestring import SafeString

from jobs import passages, words
from jobs.services import retention
from jobs.states import RunState
from jobs.stored import said

register = template.Library()

register.filter("length", words.length)
register.filter("clock", words.clock)
register.filter("moment", words.moment)
register.filter("size", words.size)
register.filter("language", words.language)
register.filter("recognition", words.recognition)
register.filter("stage", words.stage)
register.filter("state_word", words.state)
register.filter("event_words", words.event)
register.filter("time_left", words.left)
register.filter("waiting", words.waiting)
register.filter("next_step", words.next_step)
register.filter("why", words.why)
register.filter("said", said)
register.filter("doubt", words.doubt)
register.filter("attempt", words.attempt)
register.filter("part", words.part)
register.filter("can_run_again", words.can_run_again)
register.filter("deleted_at", retention.deleted_at)
register.filter("deleted_soon", retention.deleted_soon)
register.filter("passages", passages.passages)
register.filter("space_after", passages.space_after)
register.filter("word_marks", passages.word_marks)


@register.filter
def state_icon(state: str) -> str:
    """The icon that stands beside a state's word."""
    return words.ICONS[RunState(state)]


@register.filter
def is_past(moment: datetime | None) -> bool:
    return moment is not None and moment <= timezone.now()


@register.filter
def percent_of(probability: float) -> int:
    """0..1 as a whole percentage."""
    return round(100 * probability)


@register.simple_tag
def strip(spans: Iterable[tuple[float, float]], duration: float) -> str:
    """Spans of seconds as the path of an SVG that is 1000 wide and 10 high."""
    scale = 1000 / duration
    blocks = [(start * scale, max(0.5, (end - start) * scale)) for start, end in spans]
    return "".join(f"M{left:.1f} 0h{width:.1f}v10h-{width:.1f}z" for left, width in blocks)


@register.simple_tag
def icon(name: str) -> SafeString:
    """An inline Lucide icon; decoration only, so the words beside it carry the meaning."""
    return _drawing(name)


@cache
def _drawing(name: str) -> SafeString:
    path = Path(settings.BASE_DIR) / "templates" / "icons" / f"{name}.svg"
    drawing = path.read_text(encoding="utf-8")
    body = " ".join(drawing[drawing.index("<svg") :].split())
    return SafeString(body.replace("<svg", '<svg aria-hidden="true" focusable="false"', 1))  # safe: a file of ours
