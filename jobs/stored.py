"""Sentences that stand in rows: written once, in English, by whoever ended the run; said in the reader's language.

The catalogue knows them by themselves: a sentence of an older version, or one that was never marked, is said as stored.
Those with something inserted are known by their templates (`worker.sentences`).
"""

import re
from functools import cache

from django.utils.translation import gettext

from worker.sentences import TEMPLATES


def said(detail: str) -> str:
    """The stored sentence in the active language; as it stands where the catalogue does not know it."""
    for template in TEMPLATES:
        found = _pattern(template).fullmatch(detail)
        if found:
            return gettext(template).format(**found.groupdict())
    return gettext(detail) if detail else ""  # to gettext, nothing is the catalogue's head


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+?)", re.escape(template)))
