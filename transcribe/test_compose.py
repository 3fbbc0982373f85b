"""compose.yml and what it starts with, as far as that can be seen without a container engine."""

import os
import re
import runpy
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from transcribe.embedded.temporal import SETTINGS

ROOT = Path(__file__).resolve().parent.parent
STACK: dict[str, Any] = yaml.safe_load((ROOT / "compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
WRITES_TO_ITS_ROOT = {"temporal-ui", "authentik", "authentik-worker", "clamav"}  # of others, and not tried
SECRET = re.compile(r"PASSWORD|SECRET|_KEY|PWD|DATABASE_URL")
VARIABLE = re.compile(r"\$\{(\w+)(?::?-([^${}]*))?\}")
MAKER = runpy.run_path(str(ROOT / "deploy" / "make_secrets.py"))


def trial(text: object) -> str:
    """A value as compose reads it where `.env` is empty, the innermost variable first."""
    value = str(text)
    while found := VARIABLE.search(value):
        value = value.replace(found[0], found[2] or "")
    return value


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the service `secrets` makes at the first start."""
    kept = tmp_path_factory.mktemp("secrets") / "kept"
    MAKER["make"](kept)
    return kept


def test_production_finds_nothing_to_complain_about_in_a_trial(made: Path) -> None:
    given = {name: trial(value) for name, value in SERVICES["web"]["environment"].items()}
    environment = {name: value.replace("/run/secrets/app", str(made)) for name, value in given.items()}
    assert "TRANSCRIBE_EMBEDDED" not in environment
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT, env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "no issues (0 silenced)" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_shut_in(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is (name not in WRITES_TO_ITS_ROOT)
    assert "privileged" not in service
    assert not [each for each in service.get("volumes", []) if "docker.sock" in str(each)]
    assert "mem_limit" in service or name == "worker-gpu"  # a whole machine is its


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_and_no_secret_has_a_default(name: str) -> None:
    image = trial(SERVICES[name]["image"])
    assert re.search(r":\d+\.\d+(\.\d+)?(-\w+)?$", image) or image.startswith("transcribe-")
    for variable, value in SERVICES[name].get("environment", {}).items():
        if SECRET.search(variable):
            assert trial(value).removeprefix("file://").startswith("/run/secrets/") or not trial(value), variable


def test_ports_of_what_knows_no_password_are_this_machines_alone() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"caddy", "temporal-ui"}
    assert all(port.startswith("127.0.0.1:") for port in published["temporal-ui"])
    assert {name for name, network in STACK["networks"].items() if network.get("internal")} == {"data", "work"}


def test_each_service_sees_its_own_secrets_alone() -> None:
    def seen(service: dict[str, Any]) -> set[str]:
        return {str(each).split(":")[0] for each in service.get("volumes", []) if str(each).startswith("secrets")}

    kept = [name for name, service in SERVICES.items() if "secrets" in seen(service)]
    assert kept == ["secrets"]
    assert all(len(seen(service)) <= 1 for name, service in SERVICES.items() if name != "secrets")
    assert seen(SERVICES["web"]) == seen(SERVICES["worker"]) == {"secrets-app"}


def test_proxy_and_web_agree_who_says_where_requests_come_from() -> None:
    caddy = trial(SERVICES["caddy"]["networks"]["front"]["ipv4_address"])
    assert trial(SERVICES["web"]["environment"]["FORWARDED_ALLOW_IPS"]) == caddy
    assert trial(SERVICES["authentik"]["environment"]["AUTHENTIK_LISTEN__TRUSTED_PROXY_CIDRS"]) == f"{caddy}/32"


def test_the_image_starts_the_web_process_as_it_is_started_everywhere() -> None:
    image = (ROOT / "Dockerfile").read_text()
    assert 'CMD ["-m", "transcribe.web", "--host", "0.0.0.0", "--port", "8000"]' in image
    assert 'CMD ["python", "-m", "transcribe.web", "--check"]' in image
    assert "USER 10001:10001" in image
    assert MAKER["FOLDERS"]["app"][0] == 10001


def test_people_are_served_where_the_web_is_healthy_and_a_worker_says_that_it_lives() -> None:
    assert SERVICES["web"]["healthcheck"]["test"] == ["CMD", "python", "-m", "transcribe.web", "--ready"]
    assert 'CMD ["python", "manage.py", "worker_health"]' in (ROOT / "Dockerfile").read_text()
    assert "healthcheck" not in SERVICES["worker"]


def test_nobody_answers_a_health_check_when_nothing_runs() -> None:
    program = "from transcribe.web import answers; raise SystemExit(not answers(1))"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 1


def test_secrets_are_made_once(made: Path) -> None:
    first = {path.name: path.read_bytes() for path in made.iterdir()}
    MAKER["make"](made)
    assert {path.name: path.read_bytes() for path in made.iterdir()} == first
    assert {path.stat().st_mode & 0o777 for path in made.iterdir()} == {0o400}
    values = [first[name] for name in MAKER["MADE"]]
    assert len(set(values)) == len(values)
    assert {len(value) for value in values} == {64}
    assert {name for _, names in MAKER["FOLDERS"].values() for name in names} <= set(first)


def test_servers_outside_bring_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://them@db.test/x")
    MAKER["make"](tmp_path / "kept")
    assert (tmp_path / "kept" / "database_url").read_text() == "postgresql://them@db.test/x"


def test_the_own_authority_is_trusted_besides_the_public_ones(made: Path) -> None:
    context = ssl.create_default_context(cafile=str(made / "trusted.crt"))
    names = [str(each["subject"]) for each in context.get_ca_certs()]
    assert [name for name in names if "Transcribe, this machine's own authority" in name]
    assert len(names) > 50


def test_a_program_gets_its_secrets_or_does_not_start(tmp_path: Path) -> None:
    def run(file: Path) -> "subprocess.CompletedProcess[str]":
        line = ["/bin/sh", "deploy/with-secrets.sh", f"A_SECRET={file}", "--", "/bin/sh", "-c", 'echo "[$A_SECRET]"']
        return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)

    (tmp_path / "here").write_text("two words $HOME\n")
    assert run(tmp_path / "here").stdout == "[two words $HOME]\n"
    missing = run(tmp_path / "missing")
    assert (missing.returncode != 0, missing.stdout) == (True, "")


def test_the_virus_scanner_is_where_the_page_says_and_takes_what_may_be_uploaded() -> None:
    lines = (ROOT / "deploy" / "clamav" / "clamd.conf").read_text().splitlines()
    said = dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))
    assert f"CLAMD_ADDRESS=clamav:{said['TCPSocket']}\n" in (ROOT / "docs" / "operating.md").read_text()
    assert set(SERVICES["clamav"]["networks"]) & set(SERVICES["worker"]["networks"])
    for limit in ("StreamMaxLength", "MaxFileSize", "MaxScanSize"):
        assert int(said[limit].removesuffix("M")) << 20 > settings.UPLOAD_LIMIT_BYTES
    assert int(said["MaxScanTime"]) / 1000 < settings.CLAMD_SILENCE_SECONDS
    assert said["AlertExceedsMax"] == "yes"


def test_both_temporal_servers_are_told_the_same() -> None:
    told = yaml.safe_load((ROOT / "deploy" / "temporal" / "dynamic.yaml").read_text())
    assert SETTINGS.items() <= {name: str(rule["value"]) for name, [rule] in told.items()}.items()
