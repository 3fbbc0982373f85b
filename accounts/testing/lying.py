"""An identity provider of our own that can lie: every answer is a function of the test's, every token made by hand."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID, CLIENT_SECRET = "transcribe", "a secret between the two"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
type Told = tuple[int, dict[str, str], bytes]
HANG, DRIP = "hang", "drip"  # never answer; answer a byte now and then without end


def told(content: object, status: int = 200, **headers: str) -> Told:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, {"Content-Type": "application/json", **named}, body


def public(key: rsa.RSAPrivateKey = KEY, **fields: Any) -> dict[str, Any]:
    """A key as the key set shows it."""
    shown: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**shown, "kid": "one", "alg": "RS256", "use": "sig", **fields}


@dataclass
class Liar:
    """Honest until told otherwise: `lies` maps discovery, token, jwks, userinfo to what is answered instead."""

    issuer: str
    lies: dict[str, Told | str] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)  # changes to the ID token; None takes a claim away
    headers: dict[str, Any] = field(default_factory=dict)
    person: dict[str, Any] = field(default_factory=lambda: {"sub": "anna-1", "preferred_username": "anna"})
    sign: Callable[[dict[str, Any], dict[str, Any]], object] | None = None
    asked: dict[str, str] = field(default_factory=dict)  # the last authorization request
    seen: list[str] = field(default_factory=list)
    ahead: float = 0.0  # seconds of its clock
    ended: threading.Event = field(default_factory=threading.Event)

    def answer(self, path: str, form: dict[str, str]) -> Told | str:
        name = {"/.well-known/openid-configuration": "discovery"}.get(path, path.strip("/"))
        self.seen.append(name)
        if name in self.lies:
            return self.lies[name]
        match name:
            case "discovery":
                return told(self.discovered())
            case "jwks":
                return told({"keys": [public()]})
            case "userinfo":
                return told(self.person)
            case "token":
                return self._token(form)
            case _:
                return told({}, 404)

    def discovered(self, **changes: Any) -> dict[str, Any]:
        ends = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
        ends |= {"userinfo_endpoint": "userinfo", "end_session_endpoint": "end-session"}
        found = {"issuer": self.issuer, **{name: f"{self.issuer}{path}" for name, path in ends.items()}, **changes}
        return {name: value for name, value in found.items() if value is not None}

    def id_token(self) -> object:
        now = int(time.time())
        honest = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 600, "sid": "session-1"}
        claims = {**honest, "nonce": self.asked.get("nonce"), **self.person, **self.claims}
        claims = {name: value for name, value in claims.items() if value is not None}
        headers = {"kid": "one", "typ": "JWT", **self.headers}
        return self.sign(claims, headers) if self.sign else jwt.encode(claims, KEY, "RS256", headers=headers)

    def _token(self, form: dict[str, str]) -> Told:
        """A real provider's rule: the secret, and the verifier of the challenge of the same sign-in."""
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if form.get("client_secret") != CLIENT_SECRET or challenge != self.asked.get("code_challenge"):
            return told({"error": "invalid_grant"}, 400)
        return told({"access_token": "opaque", "token_type": "Bearer", "id_token": self.id_token()})


@contextmanager
def lying() -> Iterator[Liar]:
    """One on a free port of loopback."""
    server = _Server(("127.0.0.1", 0), _Handler)
    liar = Liar(f"http://127.0.0.1:{server.server_port}/")
    server.liar = liar
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield liar
    finally:
        liar.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    liar: Liar


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._tell({})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self._tell({name: values[-1] for name, values in parse_qs(body).items()})

    def _tell(self, form: dict[str, str]) -> None:
        assert isinstance(self.server, _Server)
        liar = self.server.liar
        answer = liar.answer(urlsplit(self.path).path, form)
        if isinstance(answer, str):
            return self._never(liar, drip=answer == DRIP)
        status, headers, body = answer
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body)), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _never(self, liar: Liar, drip: bool) -> None:
        self.close_connection = True
        try:
            if drip:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not liar.ended.wait(0.05):
                if drip:
                    self.wfile.write(b" ")
        except OSError:
            return

    def date_time_string(self, timestamp: float | None = None) -> str:
        assert isinstance(self.server, _Server)
        return super().date_time_string((timestamp or time.time()) + self.server.liar.ahead)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""
