"""The German catalogue: whole, true to its placeholders, compiled; and templates say nothing past it."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from django.template import engines
from django.utils import translation

from jobs import words
from transcribe import catalogue

PLACEHOLDER = re.compile(r"%\(\w+\)[sdf]|%%|\{\w*\}|</?\w+>")
SAID = {"aria-label", "placeholder", "title", "alt", "label", "content"}  # attributes that people read or hear
UNSAID = {"code", "script", "style"}  # what stands in these is for machines
SAME = {"JSON", "UTC", "width=device-width, initial-scale=1", "kB", "txt", "srt", "vtt", "tsv", "json"}
TEMPLATES = sorted(catalogue.CHECKOUT.glob("templates/**/*.html"))


def messages() -> list[Message]:
    return list(catalogue.translations(catalogue.read("de")))


def pairs(message: Message) -> list[tuple[str, str]]:
    return list(zip(catalogue.forms(message.id), catalogue.forms(message.string), strict=True))


def test_every_sentence_has_its_german_and_none_is_left_over() -> None:
    """`poe messages` brings the file up to date; what it names then is to be translated."""
    wanted = {(each.context, each.id) for each in catalogue.translations(catalogue.sentences())}
    assert {(each.context, each.id) for each in messages()} == wanted
    assert [each.id for each in messages() if not catalogue.complete(each)] == []
    assert [each.id for each in messages() if each.fuzzy] == []


def test_translations_keep_their_placeholders() -> None:
    wrong = [
        (original, german)
        for message in messages()
        for original, german in pairs(message)
        if Counter(PLACEHOLDER.findall(original)) != Counter(PLACEHOLDER.findall(german))
    ]
    assert wrong == []


def test_a_sentence_ends_as_its_original_does() -> None:
    """A full stop lost or gained is a sentence cut short, or a label that became one."""
    wrong = [
        (original, german)
        for message in messages()
        for original, german in pairs(message)
        if (original[-1] in ".:?…") != (german[-1] in ".:?…")
    ]
    assert wrong == []


def test_the_compiled_catalogue_is_that_of_the_source() -> None:
    """A server reads the compiled one; `poe messages` writes both."""
    compiled = list(catalogue.translations(catalogue.read_compiled("de")))
    assert sorted(map(pair, compiled)) == sorted(map(pair, messages()))


def pair(message: Message) -> tuple[list[str], list[str]]:
    return catalogue.forms(message.id), catalogue.forms(message.string)


class Speech(HTMLParser):
    """What a template says by itself, outside of every translated piece."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._unsaid = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unsaid += tag in UNSAID or dict(attrs).get("class") == "code"
        named = {value for name, value in attrs if name == "name" and value}
        for name, value in attrs:
            if name in SAID and not (name == "content" and named):
                self._note(value or "")

    def handle_endtag(self, tag: str) -> None:
        if self._unsaid and tag in {*UNSAID, "small"}:
            self._unsaid -= 1

    def handle_data(self, data: str) -> None:
        if not self._unsaid:
            self._note(data)

    def _note(self, text: str) -> None:
        said = " ".join(word for word in text.split() if word not in SAME)
        if re.search(r"[A-Za-z]{2}", said) and text.strip() not in SAME:
            self.found.append(said)


def untranslated(template: str) -> list[str]:
    """The pieces of text in a template that no translation reaches."""
    speech = Speech()
    source = re.sub(r"(?s){%\s*(blocktrans\w*|comment)\b.*?{%\s*end\1\s*%}|{#.*?#}", "", template)
    speech.feed(re.sub(r"(?s){%.*?%}|{{.*?}}", "", source))
    speech.close()
    return speech.found


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(catalogue.CHECKOUT / "templates")))
def test_templates_say_nothing_past_the_catalogue(path: Path) -> None:
    assert untranslated(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "template",
    [
        "<p>Hello there</p>",
        '<a aria-label="Upload a file">{{ icon }}</a>',
        '<p>{% translate "Hello" %} there</p>',
        '<input placeholder="Search">',
        '<p><small class="code">404</small> Lost</p>',
    ],
)
def test_the_check_finds_what_nobody_translated(template: str) -> None:
    assert untranslated(template)


def test_the_check_leaves_the_rest_alone() -> None:
    assert not untranslated('<p>{% translate "Hello" %} {# a note #} <small class="code">404 x</small> 5 %</p>')


def test_the_extraction_sees_all_kinds_of_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "jobs").mkdir()
    (tmp_path / "templates" / "page.html").write_text(
        '<p>\n   {% if x %}{% translate "One" %}{% endif %}\n'
        "   {% blocktranslate with a=b %}Two {{ a }} %{% endblocktranslate %}"
        "{% blocktranslate count n=n %}Three{% plural %}{{ n }} threes{% endblocktranslate %}"
        '<a title="{% translate "Four" context "number" %}">'
    )
    (tmp_path / "jobs" / "code.py").write_text(
        'a = _("Five")\nb = gettext_lazy("Six")\nc = ngettext("%(n)d seven", "%(n)d sevens", n)\nd = _(variable)\n'
    )
    monkeypatch.setattr(catalogue, "CHECKOUT", tmp_path)
    monkeypatch.setattr(catalogue, "LANGUAGES", {})
    found = [(each.context, each.id) for each in catalogue.translations(catalogue.sentences())]
    assert set(found) == {
        (None, "One"),
        (None, "Two %(a)s %%"),
        (None, ("Three", "%(n)s threes")),
        ("number", "Four"),
        (None, "Five"),
        (None, "Six"),
        (None, ("%(n)d seven", "%(n)d sevens")),
    }


def test_figures_are_written_the_german_way() -> None:
    with translation.override("de"):
        assert words.size(1_500_000) == "1,4 MB"
        assert words.size(1 << 20) == "1 MB"
        assert words.size(12) == "12 Bytes"
        assert words.language("de") == "Deutsch"
        assert words.length(3720) == "1 h 2 min"
        assert engines["django"].from_string("{{ 1234.5 }}").render() == "1234,5"
