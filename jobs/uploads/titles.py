"""The name a person's file has becomes the title of the recording. It is shown, never used on disk."""

import html
import unicodedata

LIMIT = 255
FALLBACK = "Recording"

# They reorder the text around them, so a name can look like another: "gpj.exe" for "exe.jpg".
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_REFUSED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})  # controls, lone surrogates, line and paragraph separators


def title_of(file_name: str) -> str:
    """At most 255 printable characters of the last path part, whatever the separators and however they are written."""
    name = html.unescape(file_name).replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join(c for c in unicodedata.normalize("NFC", name) if _may_stay(c)).strip()
    return FALLBACK if kept.strip(".") == "" else kept[:LIMIT]


def _may_stay(character: str) -> bool:
    return character not in _BIDI and unicodedata.category(character) not in _REFUSED_CATEGORIES
