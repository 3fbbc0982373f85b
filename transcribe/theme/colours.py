"""Colours as WCAG 2.2 sees them: relative luminance, contrast, and the nearest colour that can be read.

A colour is "#rrggbb" everywhere.
"""

import colorsys
import re
from collections.abc import Sequence

READABLE = 4.5  # WCAG 2.2, 1.4.3: text against its background
CLEAR = 7.5  # what a derived accent is given on dark pages: thin light strokes need more than the least
INKS = ("#ffffff", "#10201b", "#000000")  # what is written on the accent: the first that can be read
_STEPS = 255


def is_colour(value: str) -> bool:
    return re.fullmatch(r"#[0-9a-fA-F]{6}", value) is not None


def contrast(one: str, other: str) -> float:
    """1..21, whichever of them is the text."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def worst(colour: str, grounds: Sequence[str]) -> float:
    """The lowest contrast of this colour on any of these backgrounds."""
    return min(contrast(colour, ground) for ground in grounds)


def ink(ground: str) -> str:
    """What to write with on this background; white or black always reaches READABLE."""
    return next(each for each in INKS if contrast(each, ground) >= READABLE)


def readable(colour: str, grounds: Sequence[str], least: float = READABLE) -> str:
    """This colour, lighter or darker until its contrast on each background is at least `least`; hue and purity stay."""
    hue, light, pure = colorsys.rgb_to_hls(*_parts(colour))
    goal = 1.0 if _luminance(grounds[0]) < 0.18 else 0.0
    for step in range(_STEPS + 1):
        tried = _written(colorsys.hls_to_rgb(hue, light + (goal - light) * step / _STEPS, pure))
        if worst(tried, grounds) >= least:
            return tried
    return INKS[0] if goal else "#000000"


def _parts(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _written(parts: Sequence[float]) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in parts)


def _luminance(colour: str) -> float:
    """Relative luminance, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in _parts(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
