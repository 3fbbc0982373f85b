"""What others run for us: Authentik's blueprint against our addresses, GitHub's workflows against their pins."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.urls import reverse

from accounts.testing.lying import lying, told
from transcribe.test_compose import SERVICES

ROOT = Path(__file__).resolve().parent.parent
BLUEPRINT = ROOT / "deploy" / "authentik" / "blueprint.yaml"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


class Loader(yaml.SafeLoader):
    """Authentik's tags as lists that begin with their names."""


def _tag(loader: Loader, suffix: str, node: yaml.Node) -> list[Any]:
    if isinstance(node, yaml.SequenceNode):
        return [suffix, *loader.construct_sequence(node, deep=True)]
    return [suffix, node.value]


Loader.add_multi_constructor("!", _tag)


def entries(model: str) -> list[dict[str, Any]]:
    blueprint = yaml.load(BLUEPRINT.read_text(), Loader)  # noqa: S506 - a SafeLoader with tags that make lists
    return [entry for entry in blueprint["entries"] if entry["model"] == model]


def test_the_provider_knows_our_addresses_and_our_name() -> None:
    (provider,) = (entry["attrs"] for entry in entries("authentik_providers_oauth2.oauth2provider"))
    there = {each["redirect_uri_type"]: each["url"][1].removeprefix("https://%s") for each in provider["redirect_uris"]}
    assert there == {"authorization": reverse("oidc_authentication_callback"), "logout": "/"}
    assert provider["logout_uri"][1] == "https://%s" + reverse("backchannel-logout")
    assert all(each["url"][2] == ["Env", "TRANSCRIBE_HOST"] for each in provider["redirect_uris"])
    assert provider["client_id"] in SERVICES["web"]["environment"]["OIDC_CLIENT_ID"]
    assert provider["grant_types"] == ["authorization_code", "refresh_token", "client_credentials"]
    assert provider["signing_key"] is not None
    issued = SERVICES["web"]["environment"]["OIDC_ISSUER"]
    assert issued.endswith(f"/application/o/{entries('authentik_core.application')[0]['identifiers']['slug']}/}}")


def test_groups_of_the_blueprint_are_those_that_compose_names() -> None:
    groups = {entry["identifiers"]["name"] for entry in entries("authentik_core.group")}
    allowed = SERVICES["web"]["environment"]["OIDC_ALLOWED_GROUPS"]
    assert groups == set(re.findall(r"transcribe-\w+", allowed))
    bound = {entry["identifiers"]["group"][1] for entry in entries("authentik_policies.policybinding")}
    assert bound == {entry["id"] for entry in entries("authentik_core.group")}  # nobody else comes in


def test_all_that_the_blueprint_asks_of_its_environment_is_there_without_defaults() -> None:
    asked = set(re.findall(r"!Env (\w+)", BLUEPRINT.read_text()))
    assert not re.findall(r"!Env \[", BLUEPRINT.read_text())
    worker = SERVICES["authentik-worker"]
    given = {word.partition("=")[0] for word in worker["entrypoint"]} | set(worker["environment"])
    assert asked <= given


def test_people_can_sign_in_only_where_the_provider_signs_with_a_key_of_its_own() -> None:
    problem = runpy.run_path(str(ROOT / "deploy" / "sign_in_ready.py"))["problem"]
    signing = "id_token_signing_alg_values_supported"
    with lying() as liar:
        liar.lies["discovery"] = told(liar.discovered(**{signing: ["RS256"]}))
        assert problem(liar.issuer) == ""
        liar.lies["discovery"] = told(liar.discovered(**{signing: ["HS256"]}))
        assert "signs without a key of its own" in problem(liar.issuer)
        liar.lies["discovery"] = told(liar.discovered(issuer="https://other.test/", **{signing: ["RS256"]}))
        assert "calls itself https://other.test/" in problem(liar.issuer)
        liar.lies["discovery"] = told({}, status=502)
        assert "does not answer" in problem(liar.issuer)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_may_little_and_pin_what_they_use(path: Path) -> None:
    text = path.read_text()
    workflow = yaml.safe_load(text)
    used = re.findall(r"uses: (.+)", text)
    assert used
    assert [line for line in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        assert job["permissions"].items() <= {"contents": "read", "packages": "write"}.items()
        assert ("packages" in job["permissions"]) is (name == "images")
        assert "timeout-minutes" in job
