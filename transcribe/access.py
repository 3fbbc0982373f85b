"""For tests: routes as the URL conf names them, tables of who gets what there, and what an answer is called in one."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

PEOPLE = ("anonymous", "stranger", "owner", "disabled", "staff", "superuser")
"""`disabled` is the owner, switched off after signing in; `staff` has no right; nobody but the owner owns anything."""


class Row(NamedTuple):
    """What each column gets for this method at this route: a status, or where it is sent."""

    route: str
    method: str
    cells: tuple[str, ...]


def routes(patterns: Iterable[Any], before: str = "") -> Iterator[str]:
    """Every route below these patterns, in the words of the URL conf."""
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from routes(pattern.url_patterns, route)
        else:
            yield route


def table(text: str, models: Mapping[str, Iterable[str]]) -> list[Row]:
    """A head, then lines of route, method and cells. `{kind}` in a route stands for each of the models of that kind."""
    found = []
    for line in text.strip().splitlines()[1:]:
        route, method, *cells = line.split()
        kind = next((each for each in models if f"{{{each}}}" in route), "")
        for model in models.get(kind, [""]):
            found.append(Row(route.replace(f"{{{kind}}}", model).removeprefix("/"), method, tuple(cells)))
    return found


def address(route: str, values: Mapping[str, object]) -> str:
    """The path of a route, `<converter:name>` filled in."""
    path = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", route).replace("^", "").replace("$", "")
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(values[found[1]]), path)


def cell(status: int, location: str) -> str:
    """The status; of a redirect, whether it leads to a sign-in."""
    if status not in (301, 302, 303):
        return str(status)
    ways = {"/sign-in/?next=": "sign-in", "/admin/login/": "admin-in"}
    return next((name for start, name in ways.items() if location.startswith(start)), "onward")


SHAPED = ("/api/", "/v1/", "/token/")
"""Where scripts knock: every refusal there has one shape."""


def misshapen(path: str, body: bytes) -> str:
    """What is wrong with a refusal to a script; empty: nothing. Below /v1/ it has the shape of OpenAI's errors."""
    try:
        said = json.loads(body)
    except ValueError:
        return f"{path} refused with {body[:80]!r}"
    if path.startswith("/v1/"):
        said = said.get("error", {})
        whole = set(said) == {"message", "type", "code", "param"} and said["message"] and said["code"]
    else:
        whole = set(said) == {"code", "detail", "request_id"} and all(said.values())
    return "" if whole else f"{path} refused with {said}"
