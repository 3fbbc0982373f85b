"""The error pages as the real server sends them: what happened, what was kept, what next; in both languages, in both
themes, to people who are signed in and to those who are not."""

import pytest

from accounts.models import User
from transcribe.conftest import Serve
from transcribe.serving import Answer, Server, sign_in

SENTENCES = {  # what each page says: its heading, what was kept, what to do next
    "400 bad_request": ("Die Anfrage wurde nicht verstanden", "Es wurde nichts geändert", "laden Sie die Seite neu"),
    "403 forbidden": ("Das dürfen Sie nicht", "Es wurde nichts geändert", "fragen Sie den Betreiber"),
    "403 csrf": ("Diese Seite war zu lange offen", "nichts geschehen", "laden Sie die Seite neu"),
    "404 not_found": ("Hier gibt es nichts", "wurde nichts geändert", "Zurück zu den Aufnahmen"),
    "413 too_large": ("Die Anfrage ist zu groß", "Es wurde nichts geändert", "Zum Hochladen"),
    "500 server_error": ("Der Server hat einen Fehler gemacht", "bleiben erhalten", "in einer Minute noch einmal"),
}


def ask(
    server: Server, path: str, *, body: bytes = b"", session: str = "", host: str = "", kind: str = "text/html"
) -> Answer:
    """As a German browser with the dark theme does; with a body it is a POST."""
    head = {
        "Host": host or f"127.0.0.1:{server.port}",
        "Accept-Language": "de",
        "Accept": kind,
        "Cookie": f"theme=dark; sessionid={session}",
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    lines = [f"{'POST' if body else 'GET'} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]
    return server.send("\n".join(lines) + "\n\n", [body])


def check(answer: Answer, code: str) -> str:
    """The page, once it is what it should be."""
    page = answer.body.decode()
    assert answer.status == int(code.split()[0])
    assert code in page
    assert '<html lang="de" data-theme="dark">' in page
    for sentence in SENTENCES[code]:
        assert sentence in page
    assert "/brand.css?" in page
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "Traceback" not in page
    return page


@pytest.fixture(params=["signed in", "a stranger"])
def session(request: pytest.FixtureRequest, site: Server, alice: User) -> str:
    return sign_in(site, alice).session if request.param == "signed in" else ""


def test_nothing_there(site: Server, session: str) -> None:
    page = check(ask(site, "/nothing-here", session=session), "404 not_found")
    assert ("alice" in page) == bool(session)


def test_a_recording_of_someone_else_looks_like_none(site: Server, alice: User) -> None:
    session = sign_in(site, alice).session
    check(ask(site, "/jobs/00000000-0000-4000-8000-000000000000/", session=session), "404 not_found")


def test_a_form_without_its_token(site: Server, session: str) -> None:
    check(ask(site, "/appearance/", body=b"theme=dark", session=session), "403 csrf")


def test_a_request_nobody_understands(site: Server, session: str) -> None:
    check(ask(site, "/", session=session, host="elsewhere.example.org"), "400 bad_request")


def test_a_right_that_is_missing(site: Server, db: None) -> None:
    helper = User.objects.create_user("helper", is_staff=True)
    check(ask(site, "/admin/jobs/run/", session=sign_in(site, helper).session), "403 forbidden")


def test_a_body_that_is_too_large(site: Server, session: str) -> None:
    check(ask(site, "/appearance/", body=bytes(17 << 20), session=session), "413 too_large")


def test_scripts_get_the_same_as_json(site: Server) -> None:
    answer = ask(site, "/appearance/", body=bytes(17 << 20), kind="application/json")
    assert (answer.status, answer.content["code"]) == (413, "too_large")


def test_without_a_database_the_page_for_our_mistakes_still_stands(serve_pages: Serve) -> None:
    server = serve_pages(DATABASE_URL="postgresql://nobody@/none?host=/nowhere")
    check(ask(server, "/", session="s" * 32), "500 server_error")
    assert ask(server, "/brand.css").status == 200
