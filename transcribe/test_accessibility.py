"""axe-core on every page, in both themes, wide and narrow: no violation of any of its rules.

Two parts of the administration's pages are left out, which are Django's own: its search field, whose label is a
picture, and the marks of its list boxes, which may not have the names they have.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, ViewportSize

from accounts.models import User
from jobs.models import Job
from transcribe.conftest import Serve
from transcribe.screenshots import SIZES, fill
from transcribe.serving import Server

AXE = Path(__file__).parent / "theme" / "static_src" / "node_modules" / "axe-core" / "axe.min.js"
LEFT_OUT = {"administration"}
# The second theme changes colours alone, some of them slowly. Of a transcript the first stretches will do: they are
# all alike.
RUN = """rules => axe.run(
    {include: document, exclude: ["#transcript li:nth-child(n+12)", "#searchbar", ".help-tooltip"]},
    rules ? {runOnly: {type: "rule", values: rules}} : {},
)"""


@pytest.fixture(scope="module", params=SIZES)
def wide(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[Page]:
    """A page of one of the sizes. The policy that keeps foreign scripts out is off in this browser, for axe."""
    width, height = SIZES[request.param]
    context = chromium.new_context(bypass_csp=True, viewport=ViewportSize(width=width, height=height))
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def at_provider(serve_pages: Serve) -> Server:
    return serve_pages(
        OIDC_ISSUER="https://provider.test/",
        OIDC_CLIENT_ID="ours",
        OIDC_CLIENT_SECRET="hP3vQz8Lk2Xw9Rt5Bn7Ym4Jc6Ds1Fg0A",
    )


def sign_in(page: Page, site: Server, user: User | None) -> None:
    page.context.clear_cookies()
    if user is not None:
        client = Client()
        client.force_login(user)
        address = f"http://127.0.0.1:{site.port}"
        page.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": address}])


def violations(page: Page, site: Server, path: str) -> list[str]:
    """What axe finds on this page: every rule in the light theme, contrasts in the dark one as well."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.goto(f"http://127.0.0.1:{site.port}{path}")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    light = page.evaluate(RUN, None)
    page.emulate_media(color_scheme="dark")
    page.evaluate("() => Promise.all(document.getAnimations().map(each => each.finished))")
    dark = page.evaluate(RUN, ["color-contrast"])
    return [
        told(path, theme, each) for theme, found in (("light", light), ("dark", dark)) for each in found["violations"]
    ]


def told(path: str, theme: str, violation: dict[str, Any]) -> str:
    where = [node["html"][:200] + " " + json.dumps(node["any"][:1])[:300] for node in violation["nodes"][:3]]
    return f"{path} ({theme}) {violation['id']}: {violation['help']}: {where}"


def test_every_page_of_someone_with_recordings(wide: Page, site: Server) -> None:
    pages, _ = fill()
    sign_in(wide, site, User.objects.get(username="anna"))
    found = {name: violations(wide, site, path) for name, path in pages.items() if name not in LEFT_OUT}
    assert {name: said for name, said in found.items() if said} == {}
    assert len(found) >= 11


def test_what_opens_on_a_page(wide: Page, site: Server, tmp_path: Path) -> None:
    """Menus, the dialog of keys, the options and the list of uploads."""
    pages, _ = fill()
    sign_in(wide, site, User.objects.get(username="anna"))
    found = violations(wide, site, pages["done"])
    wide.locator("#downloads summary").click()
    found += seen(wide, "downloads")
    wide.locator("#downloads summary").click()
    wide.locator(".again > summary, details:has(select) > summary").first.click()
    found += seen(wide, "options")
    wide.keyboard.press("?")
    wide.get_by_role("dialog").wait_for()
    found += seen(wide, "keys")
    found += violations(wide, site, pages["upload"])
    wide.get_by_text("Options", exact=True).click()
    (tmp_path / "nothing.mp3").touch()
    wide.locator("input[type=file]").first.set_input_files(tmp_path / "nothing.mp3")
    wide.locator(".upload-row").wait_for()
    assert found + seen(wide, "uploads") == []


def seen(page: Page, name: str) -> list[str]:
    """What axe finds on the page as it is now."""
    return [told(name, "open", each) for each in page.evaluate(RUN, None)["violations"]]


def test_the_pages_of_a_newcomer(wide: Page, site: Server, alice: User) -> None:
    sign_in(wide, site, alice)
    found = violations(wide, site, "/")
    wide.get_by_role("button", name="Menu").click()
    wide.get_by_role("button", name="Sign out").wait_for()
    found += seen(wide, "menu")
    sign_in(wide, site, None)
    found += violations(wide, site, "/sign-in/") + violations(wide, site, "/nothing-here")
    assert found == []


def test_signing_in_at_a_provider(wide: Page, at_provider: Server, transactional_db: None) -> None:
    sign_in(wide, at_provider, None)
    found = violations(wide, at_provider, "/sign-in/")
    wide.get_by_role("link", name="Authentik").wait_for()
    assert found == []


def test_the_administration(wide: Page, site: Server, charlie: User) -> None:
    """Its index, a list with filters and verbs, one without, a recording, the question before it goes, a person."""
    fill()
    job = Job.objects.filter(current_run__state="succeeded").first()
    assert job is not None
    sign_in(wide, site, charlie)
    recording = f"jobs/job/{job.pk}"
    paths = ("", "jobs/job/", "accounts/auditevent/", f"{recording}/change/", f"{recording}/delete/",
             f"accounts/user/{charlie.pk}/change/")  # fmt: skip
    assert [said for path in paths for said in violations(wide, site, f"/admin/{path}")] == []


def test_axe_finds_what_is_wrong(wide: Page, site: Server, alice: User) -> None:
    """So that an empty list means something."""
    sign_in(wide, site, alice)
    wide.emulate_media(color_scheme="light")
    wide.goto(f"http://127.0.0.1:{site.port}/")
    wide.evaluate(AXE.read_text(encoding="utf-8"))
    wide.evaluate("() => { document.querySelector('h1').style.color = '#ddd'; document.documentElement.lang = ''; }")
    found = {each["id"] for each in wide.evaluate(RUN, None)["violations"]}
    assert {"color-contrast", "html-has-lang"} <= found
