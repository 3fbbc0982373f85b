"""A certified provider (npm's oidc-provider) as a child of the tests, claims as Authentik's, and its login page."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from transcribe.embedded import assets
from transcribe.embedded.child import leashed
from transcribe.embedded.node import find_node
from transcribe.embedded.ports import free_port

FOLDER = Path(__file__).parent / "provider"
CLIENT_ID, CLIENT_SECRET = "transcribe", "a secret of at least thirty-two characters"


@dataclass
class Certified:
    """`site` is the address of ours. Write `people` to change what it says about them."""

    port: int
    site: str
    folder: Path

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def know(self, **people: dict[str, Any]) -> None:
        (self.folder / "people.json").write_text(json.dumps(people))

    def machine_token(self, scope: str) -> str:
        """An access token by client_credentials: no person, no browser."""
        form = {"grant_type": "client_credentials", "scope": scope}
        form |= {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        answer = httpx.post(f"{self.issuer}/application/o/token/", data=form)
        return str(answer.raise_for_status().json()["access_token"])

    @contextmanager
    def running(self, key_id: str = "one") -> Iterator[None]:
        """Started with a key of its own: stopped and started again, it has another one and knows nobody any more."""
        node = find_node()
        assets.install(FOLDER, node)
        told = {"port": self.port, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "site": self.site}
        told |= {"people": str(self.folder / "people.json"), "keys": {"keys": [_private_key(key_id)]}}
        (self.folder / "config.json").write_text(json.dumps(told))
        command = leashed(["node", str(FOLDER / "provider.mjs"), str(self.folder / "config.json")])
        with subprocess.Popen(command, env=node.environment(), stdout=subprocess.PIPE, text=True) as process:
            try:
                for line in process.stdout or ():
                    if "listening" in line:
                        break
                else:
                    raise RuntimeError("The provider did not start; its own lines say why.")
                yield
            finally:
                process.kill()


def certified(folder: Path, site: str) -> Certified:
    return Certified(free_port(), site, folder)


def _private_key(key_id: str) -> dict[str, Any]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    shown: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(key, as_dict=True)
    return {name: value for name, value in shown.items() if name != "key_ops"} | {"kid": key_id, "alg": "RS256"}


class LoginPage:
    """A browser at the provider: keeps its cookies, fills in its forms, and stops where it is sent back to our site."""

    def __init__(self, site: str) -> None:
        self.site, self.client = site, httpx.Client(follow_redirects=False, timeout=60)

    def __enter__(self) -> "LoginPage":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def go(self, url: str, person: str) -> str:
        """The address on our site that it ends at."""
        answer = self.client.get(url)
        for _ in range(20):
            where: str = answer.headers.get("location", "")
            if where.startswith(self.site):
                return where
            if where:
                answer = self.client.get(str(answer.url.join(where)))
                continue
            answer = self._fill_in(answer, person)
        raise AssertionError("The provider sends us in circles.")

    def _fill_in(self, page: httpx.Response, person: str) -> httpx.Response:
        action = re.search(r'action="([^"]+)"', page.text)
        assert action is not None, page.text[-1500:]
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
        fields |= {"login": person, "password": "any"}
        if "xsrf" in fields:
            fields = {"xsrf": fields["xsrf"], "logout": "yes"}
        return self.client.post(str(page.url.join(action[1])), data=fields)


def path_of(url: str) -> str:
    """What our site is asked."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
