"""`poe messages`: the German catalogue, brought up to date with the sentences in code and templates.

Babel reads and writes the catalogue, because `makemessages` and `compilemessages` need the programs of GNU gettext,
which few machines have. Templates are read the way Django's own `makemessages` does: turned into calls of gettext.
The compiled catalogue is committed beside its source: a server needs no build step and no Babel to speak German, and
`test_catalogue.py` holds both equal.
"""

import io
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_python
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation import template as templates

from jobs import errors
from jobs.services.languages import LANGUAGES
from jobs.uploads import refusals, wire

CHECKOUT = Path(__file__).resolve().parent.parent
SOURCES = ("transcribe/**/*.py", "accounts/**/*.py", "jobs/**/*.py", "worker/**/*.py", "templates/**/*.html")
# Calls whose argument of this number is a sentence: refusals (`jobs.errors`), and ends of runs (`worker.endings`).
SENTENCE_AT = {"refused": 1} | {
    name: 0
    for module in (errors, refusals, wire)
    for name, found in vars(module).items()
    if isinstance(found, type) and issubclass(found, errors.JobError)
}
KEYWORDS: Mapping[str, Any] = DEFAULT_KEYWORDS | dict.fromkeys(SENTENCE_AT) | {
    "gettext_lazy": None, "gettext_noop": None, "ngettext_lazy": (1, 2), "pgettext_lazy": ((1, "c"), 2),
}  # fmt: skip
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_HEAD = """# Written by `poe messages`: fill in what has no translation, and run it again.
msgid ""
msgstr ""
"Language: {language}\\n"
"Plural-Forms: {plural}\\n"
"Content-Type: text/plain; charset=utf-8\\n"

"""
type Said = str | tuple[str, ...]


def catalogue_file(language: str, suffix: str = ".po") -> Path:
    return CHECKOUT / "locale" / language / "LC_MESSAGES" / f"django{suffix}"


def sentences() -> Catalog:
    """Every sentence marked for translation, with the files it stands in."""
    places: dict[tuple[str | None, Said], set[str]] = defaultdict(set)
    notes: dict[tuple[str | None, Said], list[str]] = {}
    for path in _sources():
        for function, said, comments in _marked(path):
            key = _key(function, said)
            places[key].add(str(path.relative_to(CHECKOUT)))
            notes.setdefault(key, comments)
    for name in LANGUAGES.values():  # jobs.words.language says them; as literals they would be a second list
        places[None, name.capitalize()].add("jobs/services/languages.py")
    found = Catalog(charset="utf-8")
    for (context, identity), files in sorted(places.items(), key=lambda item: (min(item[1]), str(item[0]))):
        where = [(name, 0) for name in sorted(files)]
        found.add(identity, context=context, locations=where, auto_comments=notes.get((context, identity), []))
    return found


def read(language: str) -> Catalog:
    with catalogue_file(language).open("rb") as file:
        return read_po(file, locale=language)


def translations(catalogue: Catalog) -> Iterator[Message]:
    """Its messages without the header."""
    return (message for message in catalogue if message.id)


def read_compiled(language: str) -> Catalog:
    with catalogue_file(language, ".mo").open("rb") as file:
        return read_mo(file)


def update(language: str) -> list[str]:
    """Write both files of this language anew; the sentences that still lack a translation."""
    before = {(each.context, each.id): each for each in translations(read(language))}
    after = _empty(language)
    for message in translations(sentences()):
        known = before.get((message.context, message.id))
        said = known.string if known else ""
        after.add(message.id, said, message.locations, auto_comments=message.auto_comments, context=message.context)
    _write(after, language)
    return [str(message.id) for message in translations(after) if not complete(message)]


def complete(message: Message) -> bool:
    """Whether every form of it is translated."""
    said = forms(message.string)
    return bool(said) and all(said)


def forms(said: str | Sequence[str] | None) -> list[str]:
    """A message as its forms: one, or singular and plural."""
    return [said] if isinstance(said, str) else list(said or [])


def _empty(language: str) -> Catalog:
    """With a head of fixed dates: one of its own for every run would make every run a change."""
    return Catalog(
        locale=language, charset="utf-8", project="Transcribe", fuzzy=False, header_comment=f"# {language}",
        creation_date=EPOCH, revision_date=EPOCH,
    )  # fmt: skip


def _write(catalogue: Catalog, language: str) -> None:
    whole = io.BytesIO()
    write_po(whole, catalogue, width=110, include_lineno=False, omit_header=True)
    catalogue_file(language).write_bytes(_HEAD.format(language=language, plural=catalogue.plural_forms).encode())
    with catalogue_file(language).open("ab") as file:
        file.write(whole.getvalue())
    with catalogue_file(language, ".mo").open("wb") as file:
        write_mo(file, catalogue)


def _sources() -> Iterable[Path]:
    found = {path for pattern in SOURCES for path in CHECKOUT.glob(pattern)}
    return sorted(path for path in found if "node_modules" not in path.parts and not path.name.startswith("test_"))


def _marked(path: Path) -> Iterator[tuple[str, Said, list[str]]]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".html":
        # lines without indentation: what is left of a template is no well-indented program
        text = re.sub(r"(?m)^[ \t]+", "", templates.templatize(text, origin=str(path)))
    found: Iterable[Any] = extract_python(io.BytesIO(text.encode()), KEYWORDS, ["Translators:"], {})
    calls = ((function, _sentence(function, given), notes) for _line, function, given, notes in found)
    return ((function, said, notes) for function, said, notes in calls if said)  # no literal, no sentence


def _sentence(function: str, given: Any) -> Said:
    """Of the call's arguments, those that are not literals being None, what is to be translated."""
    if function not in SENTENCE_AT:
        return given or ""
    arguments = [given] if isinstance(given, str) else list(given or [])
    return next(iter(arguments[SENTENCE_AT[function] :][:1]), "") or ""


def _key(function: str, said: Said) -> tuple[str | None, Said]:
    """Context and message id: one sentence, or singular and plural."""
    parts = [said] if isinstance(said, str) else [part for part in said if isinstance(part, str)]
    context = parts.pop(0) if "pgettext" in function else None
    return context, (parts[0], parts[1]) if function.startswith(("ngettext", "npgettext")) else parts[0]


def main() -> int:
    """1 while a sentence lacks its translation."""
    missing = update("de")
    print("\n".join(f"No German for: {sentence}" for sentence in missing) or "The catalogue is complete.")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
