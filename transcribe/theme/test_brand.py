"""The operator's name, logo and accent: what pages get, and what a start says about values that do not work."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from transcribe.theme import brand
from transcribe.theme.checks import LOGO_LIMIT, check_brand
from transcribe.theme.colours import CLEAR, READABLE, contrast, ink, readable, worst

STYLES = Path(__file__).parent / "static_src" / "src" / "styles.css"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script><rect width="9" height="9"/></svg>'
COLOURS = ["#2a6455", "#ffe600", "#ff0000", "#0000ff", "#808080", "#000000", "#ffffff", "#7a2b8f"]


@pytest.mark.parametrize(("one", "other", "expected"), [("#000000", "#ffffff", 21), ("#777777", "#ffffff", 4.48)])
def test_contrast_is_what_the_guidelines_say(one: str, other: str, expected: float) -> None:
    assert contrast(one, other) == pytest.approx(expected, abs=0.01)
    assert contrast(other, one) == contrast(one, other)


@pytest.mark.parametrize("colour", COLOURS)
def test_whatever_the_accent_a_readable_one_is_near(colour: str) -> None:
    for grounds, least in ((brand.LIGHT_GROUNDS, READABLE), (brand.DARK_GROUNDS, CLEAR)):
        found = readable(colour, grounds, least)
        assert worst(found, grounds) >= least
        assert found == colour or worst(colour, grounds) < least
    assert contrast(ink(colour), colour) >= READABLE


def test_the_backgrounds_are_those_of_the_style_sheet() -> None:
    styles = STYLES.read_text()
    for name, grounds in (("light", brand.LIGHT_GROUNDS), ("dark", brand.DARK_GROUNDS)):
        block = styles.partition(f'name: "{name}";')[2].partition("}")[0]
        assert tuple(re.findall(r"--color-base-[12]00: (#\w+)", block)) == grounds


def test_the_shipped_brand_is_fine() -> None:
    assert check_brand() == []


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("BRAND_ACCENT", "green", "Write it as #rrggbb"),
        ("BRAND_ACCENT", "#ffe600", "The nearest one that can be read is #"),
        ("BRAND_ACCENT_DARK", "#2a6455", "The nearest one that can be read is #"),
        ("BRAND_LOGO", "/etc/passwd", "Use a file that ends in one of"),
        ("BRAND_LOGO", "/nowhere/logo.svg", "Give the path of a file"),
    ],
)
def test_a_brand_that_does_not_work_is_named_with_what_would(settings: Any, name: str, value: str, says: str) -> None:
    setattr(settings, name, value)
    (error,) = check_brand()
    assert name in error.msg
    assert value in error.msg
    assert says in str(error.hint)


def test_the_hint_passes_the_check(settings: Any) -> None:
    settings.BRAND_ACCENT = "#ffe600"
    (error,) = check_brand()
    settings.BRAND_ACCENT = re.findall("#[0-9a-f]{6}", str(error.hint))[0]
    assert check_brand() == []


def test_a_logo_for_every_page_is_small(settings: Any, tmp_path: Path) -> None:
    settings.BRAND_LOGO = str(tmp_path / "logo.png")
    (tmp_path / "logo.png").write_bytes(bytes(LOGO_LIMIT + 1))
    assert [error.id for error in check_brand()] == ["theme.E005"]


def test_pages_carry_the_name_the_accent_and_the_logo(
    client: Client, settings: Any, tmp_path: Path, alice: User
) -> None:
    settings.BRAND_NAME, settings.BRAND_ACCENT = "Hofmann & Söhne", "#7a2b8f"
    settings.BRAND_LOGO = str(tmp_path / "logo.svg")
    (tmp_path / "logo.svg").write_bytes(SVG)
    client.force_login(alice)
    page = client.get("/").content.decode()
    assert "<title>Recordings · Hofmann &amp; Söhne</title>" in page
    sheet = client.get(_address(page, r'href="(/brand\.css\?\w+)"'))
    assert b"--color-primary: #7a2b8f;" in sheet.content
    assert (sheet.headers["Content-Type"], sheet.headers["Cache-Control"]) == (
        "text/css; charset=utf-8",
        "public, max-age=31536000, immutable",
    )
    logo = Client().get(_address(page, r'<img class="brand-logo" src="([^"]+)"'))
    assert logo.content == SVG
    assert logo.headers["Content-Type"] == "image/svg+xml"
    assert "default-src 'none'" in logo.headers["Content-Security-Policy"]
    assert "script-src" not in logo.headers["Content-Security-Policy"]


def test_both_files_are_sent_once(client: Client, settings: Any, tmp_path: Path) -> None:
    settings.BRAND_LOGO = str(tmp_path / "logo.svg")
    (tmp_path / "logo.svg").write_bytes(SVG)
    for address in (brand.sheet_address(), brand.logo_address()):
        tag = client.get(address).headers["ETag"]
        again = client.get(address, headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")


def test_a_changed_logo_has_another_address(settings: Any, tmp_path: Path) -> None:
    settings.BRAND_LOGO = str(tmp_path / "logo.svg")
    (tmp_path / "logo.svg").write_bytes(SVG)
    os.utime(tmp_path / "logo.svg", (1, 1))
    before = brand.logo_address()
    (tmp_path / "logo.svg").write_bytes(SVG + b"\n")
    assert brand.logo_address() not in ("", before)


def test_a_logo_that_is_gone_breaks_no_page(client: Client, settings: Any, db: None) -> None:
    settings.BRAND_LOGO = "/nowhere/logo.svg"
    assert client.get("/sign-in/").status_code == 200
    assert client.get("/brand/logo").status_code == 404


def test_without_a_logo_there_is_none(client: Client, db: None) -> None:
    assert client.get("/brand/logo").status_code == 404


def test_the_administration_carries_the_name(client: Client, settings: Any, charlie: User) -> None:
    settings.BRAND_NAME = "Hofmann"
    client.force_login(charlie)
    page = client.get("/admin/").content.decode()
    assert "| Hofmann</title>" in page
    assert "Django administration" not in page
    assert brand.sheet_address() in page


def _address(page: str, pattern: str) -> str:
    found = re.search(pattern, page)
    assert found is not None
    return found[1]
