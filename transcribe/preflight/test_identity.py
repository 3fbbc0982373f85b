"""The identity provider, looked at: one that lies, and a certified one that refuses for real."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from accounts.testing.certified import CLIENT_ID, CLIENT_SECRET, certified
from accounts.testing.lying import Liar, Told, lying, told
from transcribe.preflight import clock, identity
from transcribe.preflight.findings import Finding, Result

OK, WARNING, FAILED = Result
SENT_BACK: Told = told(b"", 302, Location="https://transcribe.test/oidc/callback/?error=login_required")


@pytest.fixture
def liar(settings: Any) -> Iterator[Liar]:
    settings.EMBEDDED, settings.ALLOWED_HOSTS = False, ["transcribe.test", ".wild.test"]
    with lying() as found:
        settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = found.issuer, "transcribe", "x"
        found.lies["authorize"] = SENT_BACK
        yield found


def only(found: Iterator[Finding]) -> tuple[Result, str]:
    (finding,) = list(found)
    assert bool(finding.fix) == (finding.result != OK)
    return finding.result, finding.said


def test_one_that_knows_us(liar: Liar) -> None:
    assert only(identity.provider()) == (OK, f"{liar.issuer} answers, and knows this installation.")


@pytest.mark.parametrize(
    ("name", "lie", "result", "said"),
    [
        ("discovery", told({}, 502), FAILED, "The provider does not answer as it should"),
        (
            "discovery",
            told({"issuer": "https://other.test/"}),
            FAILED,
            "The provider calls itself https://other.test/.",
        ),
        ("jwks", told({"keys": []}), FAILED, "The provider signs without a key of its own."),
        ("authorize", told({}, 400), FAILED, "does not send people back to https://transcribe.test/oidc/callback/."),
        ("authorize", told({}, 503), WARNING, "The provider's sign-in page does not answer."),
        ("token", told({"error": "invalid_client"}, 401), FAILED, "The provider does not take our name and secret."),
    ],
)
def test_one_that_people_could_not_sign_in_at(liar: Liar, name: str, lie: Told, result: Result, said: str) -> None:
    liar.lies[name] = lie
    found = only(identity.provider())
    assert (found[0], said in found[1]) == (result, True), found


def test_one_that_signs_with_a_shared_secret(liar: Liar) -> None:
    liar.lies["discovery"] = told(liar.discovered(id_token_signing_alg_values_supported=["HS256"]))
    assert only(identity.provider())[1] == "The provider signs without a key of its own."


def test_none_at_all(settings: Any) -> None:
    settings.OIDC_ISSUER = ""
    assert only(identity.provider())[0] == OK


@pytest.mark.parametrize(("ahead", "result"), [(0, OK), (-6, WARNING), (3600, FAILED)])
def test_its_clock(liar: Liar, ahead: float, result: Result) -> None:
    liar.ahead = ahead
    assert only(clock.provider())[0] == result


def test_a_certified_one_refuses_what_it_does_not_know(settings: Any, tmp_path: Path) -> None:
    settings.EMBEDDED, settings.ALLOWED_HOSTS = False, ["transcribe.test"]
    found = certified(tmp_path, "https://transcribe.test")
    found.know()
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = found.issuer, CLIENT_ID, CLIENT_SECRET
    with found.running():
        assert only(identity.provider())[0] == OK
        settings.OIDC_CLIENT_SECRET = "another secret of at least thirty-two characters"
        assert only(identity.provider()) == (FAILED, "The provider does not take our name and secret.")
        settings.OIDC_CLIENT_SECRET, settings.ALLOWED_HOSTS = CLIENT_SECRET, ["other.test"]
        assert "does not send people back to https://other.test" in only(identity.provider())[1]
