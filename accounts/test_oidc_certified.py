"""Against a certified provider: sign-in, groups, silent confirmation, rotated keys, and both ways out."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.test import Client
from playwright.sync_api import Page, expect, sync_playwright

from accounts.models import Session, User
from accounts.oidc_views import GOOD_UNTIL
from accounts.testing.certified import CLIENT_ID, CLIENT_SECRET, Certified, LoginPage, certified, path_of
from jobs.models import Job
from transcribe.embedded.ports import free_port
from transcribe.provision import find_browser
from transcribe.serving import ROOT, serve

ANNA: dict[str, Any] = {"name": "Anna Ash", "preferred_username": "anna", "email": "", "groups": ["transcribe-users"]}
PAGE = {"Sec-Fetch-Dest": "document"}


def follow(settings: Any, provider: Certified) -> None:
    settings.OIDC_ISSUER, settings.LOCAL_LOGIN = provider.issuer, False
    settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = CLIENT_ID, CLIENT_SECRET
    settings.OIDC_ALLOWED_GROUPS, settings.OIDC_STAFF_GROUPS = ["transcribe-users"], ["transcribe-admins"]


def signed_in(client: Client, browser: LoginPage, person: str = "anna-1", path: str = "/oidc/start/") -> Any:
    return client.get(path_of(browser.go(client.get(path, headers=PAGE)["Location"], person)))


@pytest.fixture
def provider(db: None, tmp_path: Path, settings: Any) -> Certified:
    found = certified(tmp_path, "http://testserver")
    found.know(**{"anna-1": ANNA})
    follow(settings, found)
    return found


def test_a_person_signs_in_is_confirmed_promoted_and_survives_new_keys(provider: Certified) -> None:
    client = Client()
    with provider.running(), LoginPage("http://testserver") as browser:
        assert signed_in(client, browser, path="/oidc/start/?next=/account/")["Location"] == "/account/"
        user = User.objects.get(subject="anna-1", issuer=provider.issuer)
        assert (user.username, user.get_full_name(), user.is_staff) == ("anna", "Anna Ash", False)
        row = Session.objects.get(user=user)
        assert row.provider_session
        provider.know(**{"anna-1": ANNA | {"groups": ["transcribe-users", "transcribe-admins"]}})
        session = client.session
        session[GOOD_UNTIL] = time.time() - 1
        session.save()
        assert signed_in(client, browser, path="/account/")["Location"] == "/account/"  # nobody was asked anything
        user.refresh_from_db()
        assert user.is_staff
        assert Session.objects.get(user=user).session_key == row.session_key
        provider.know(**{"anna-1": ANNA | {"groups": []}})
        session = client.session
        session[GOOD_UNTIL] = time.time() - 1
        session.save()
        assert signed_in(client, browser, path="/account/").status_code == 403
        assert not Session.objects.filter(user=user).exists()
        user.refresh_from_db()
        assert not user.is_staff
    provider.know(**{"anna-1": ANNA})
    with provider.running(key_id="two"), LoginPage("http://testserver") as browser:
        assert signed_in(Client(), browser).status_code == 302
    assert Session.objects.filter(user=user).count() == 1


def test_signing_out_here_signs_out_there(provider: Certified) -> None:
    client = Client()
    with provider.running(), LoginPage("http://testserver") as browser:
        signed_in(client, browser)
        left = client.post("/sign-out/")["Location"]
        assert left.startswith(provider.issuer)
        assert browser.go(left, "") == "http://testserver/"
        start = client.get("/oidc/start/")["Location"]
        again = browser.client.get(start + "&prompt=none")
        assert "error=login_required" in again.headers["location"]


@pytest.fixture(scope="module")
def pair(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certified]:
    """Our real server and the provider, which know each other; started once."""
    port, folder = free_port(), tmp_path_factory.mktemp("provider")
    provider = certified(folder, f"http://127.0.0.1:{port}")
    provider.know(**{"anna-1": ANNA})
    environment = {"OIDC_ISSUER": provider.issuer, "OIDC_CLIENT_ID": CLIENT_ID, "OIDC_CLIENT_SECRET": CLIENT_SECRET}
    with provider.running(), serve(folder, port, {**environment, "DEBUG": "true"}):
        yield provider


@pytest.fixture
def ours(pair: Certified, transactional_db: None) -> Certified:
    """The provider beside our server, whose rows the test can see."""
    return pair


def test_signing_out_there_signs_out_here(ours: Certified) -> None:
    with LoginPage(ours.site) as browser:
        _sign_out_there(browser, ours)


def _sign_out_there(browser: LoginPage, provider: Certified) -> None:
    ours_too = browser.client  # one browser: its cookies are kept by host, and both are at 127.0.0.1
    back = browser.go(ours_too.get(f"{provider.site}/oidc/start/").headers["location"], "anna-1")
    assert ours_too.get(back).status_code == 302
    assert ours_too.get(f"{provider.site}/account/").status_code == 200
    with pytest.raises(AssertionError, match="Sign-out Success"):
        browser.go(f"{provider.issuer}/application/o/transcribe/end-session/", "")
    end = time.monotonic() + 10
    while Session.objects.filter(user__subject="anna-1").exists():
        assert time.monotonic() < end, "The provider's logout did not arrive."
        time.sleep(0.1)
    assert ours_too.get(f"{provider.site}/account/").status_code == 302


def test_a_program_without_a_person_comes_in_by_every_door(ours: Certified) -> None:
    """client_credentials: our API, both upload doors, OpenAI's, and the events of a recording."""
    ours.know(**{"anna-1": ANNA, CLIENT_ID: {"preferred_username": "machine", "groups": ["transcribe-users"]}})
    headers = {"Authorization": f"Bearer {ours.machine_token('openid profile')}"}
    with httpx.Client(base_url=ours.site, headers=headers, timeout=30) as client:
        assert client.get("/api/v1/jobs").json() == {"jobs": [], "next": None}
        job = client.post("/api/v1/upload", files={"file": ("talk.mp3", b"a recording")}).json()
        assert Job.objects.get().owner.username == "machine"
        tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "5"}
        assert client.post("/api/v1/uploads/", headers=tus).status_code == 201
        assert client.get("/v1/models").status_code == 200
        refused = client.post("/v1/audio/transcriptions", files={"file": ("talk.mp3", b"x")}, data={"model": "?" * 300})
        assert refused.status_code < 500
        assert refused.status_code not in (401, 403), refused.text
        with client.stream("GET", f"/api/v1/jobs/{job['id']}/events") as events:
            assert events.status_code == 200
            assert "retry" in next(events.iter_lines())
        narrow = {"Authorization": f"Bearer {ours.machine_token('jobs:read')}"}
        assert client.get("/api/v1/jobs", headers=narrow).status_code == 200
        late = client.post("/api/v1/upload", files={"file": ("talk.mp3", b"a recording")}, headers=narrow)
        assert late.json()["code"] == "scope_missing"
    user = User.objects.get(username="machine")
    assert (user.issuer, user.subject, user.has_usable_password()) == (ours.issuer, CLIENT_ID, False)


def test_a_real_browser_comes_in_uploads_and_leaves_nothing_behind(
    ours: Certified, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chromium's own rules: cookies on the way back, form-action on the way out, Clear-Site-Data, the back button."""
    provider = ours
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright keeps a loop of its own in this thread
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        page = chromium.new_context(base_url=provider.site).new_page()
        page.goto("/account/")
        page.get_by_role("link", name="Continue with").click()
        page.get_by_placeholder("Enter any login").fill("anna-1")
        page.get_by_placeholder("and password").fill("any")
        page.get_by_role("button", name="Sign-in").click()
        expect(page.get_by_role("heading", name="Anna Ash")).to_be_visible()
        token = _upload(page)
        assert page.evaluate(ASK, token) == 200
        other = page.context.new_page()
        with other.expect_websocket() as opened:
            other.goto("/")
            other.locator("html[data-live=on]").wait_for()
        assert not opened.value.is_closed()
        page.locator("[popovertarget=account-menu]").click()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Yes").click()
        expect(page.get_by_role("link", name="Continue with")).to_be_visible()
        if not opened.value.is_closed():
            opened.value.wait_for_event("close", timeout=5_000)
        assert page.evaluate("localStorage.length") == 0
        assert page.evaluate(ASK, token) == 401
        for _ in range(5):
            page.go_back(wait_until="domcontentloaded")
            expect(page.get_by_role("heading", name="Anna Ash")).to_be_hidden()
            expect(page.get_by_text("english.mp3")).to_be_hidden()
        chromium.close()


def _upload(page: Page) -> str:
    """A recording through the real upload page; the token it used for that."""
    page.goto("/upload")
    sample = ROOT / "worker" / "demo" / "samples" / "english.mp3"
    page.locator("#upload-island input[type=file]").first.set_input_files(sample)
    expect(page.locator(".uploads .upload-row")).to_have_attribute("data-state", "done", timeout=20_000)
    kept: str = page.evaluate("JSON.parse(localStorage.getItem('upload-token')).token")
    return kept


ASK = """async (token) => {
    const headers = { Authorization: `Bearer ${token}` };
    return (await fetch("/api/v1/uploads/", { headers, credentials: "omit" })).status;
}"""
