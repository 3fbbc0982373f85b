"""docs/operating.md names every setting, with the default that the code has."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "operating.md").read_text()
READERS = {"text", "flag", "number", "names", "secret", "choice", "address"}
ROW = re.compile(r"^\| `(\w+)` \| (.*?) \|", re.M)


def calls() -> Iterator[tuple[str, ast.expr | None]]:
    """Name and default of each setting: the calls of `env`."""
    for node in ast.walk(ast.parse((ROOT / "transcribe" / "settings.py").read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in READERS:
            named = node.args[0]
            if (
                isinstance(node.func.value, ast.Name)
                and node.func.value.id == "env"
                and isinstance(named, ast.Constant)
            ):
                yield str(named.value), node.args[1] if len(node.args) > 1 else None


def said(default: ast.expr | None) -> str | None:
    """A default as the table writes it; None for those that only Python can work out."""
    try:
        value = eval(compile(ast.Expression(default), "settings", "eval"), {}) if default else ""  # noqa: S307 - our own
    except NameError:
        return None
    return f"`{str(value).lower() if isinstance(value, bool) else value}`" if value != "" else "none"


def test_every_setting_is_in_the_table_and_none_that_is_gone() -> None:
    documented, compose = PAGE.split("For `compose.yml` alone:")
    settings = dict(calls())
    assert set(dict(ROW.findall(documented))) - {"caddy", "web", "worker", "postgres", "authentik"} == set(settings)
    variables = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yml").read_text()))
    assert set(dict(ROW.findall(compose))) == variables - set(settings)


def test_defaults_are_those_of_the_code() -> None:
    table = dict(ROW.findall(PAGE))
    wrong = {
        name: (table[name], said(default)) for name, default in calls() if said(default) not in (None, table[name])
    }
    # What is empty there has a meaning, and the table tells that.
    assert {name: row for name, row in wrong.items() if row[1] != "none"} == {}
