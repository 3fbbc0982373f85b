"""`poe prove image`: every command of the images, by hand, as a container would run it, and Caddy in front of it.

No container engine is needed: the same account, read-only files, no capabilities, secrets made by the service that
makes them, Postgres with passwords, Temporal, web, worker, backup. Root on Linux alone, with `caddy` on PATH.
"""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from ssl import create_default_context
from urllib.parse import urlsplit

import httpx
import websockets

from accounts.testing.lying import lying, told
from benchmarks._image import Room, build, image_environment
from transcribe.drill import SAMPLES
from transcribe.embedded import places
from transcribe.embedded.binaries import postgres_folder
from transcribe.embedded.child import leashed, stop
from transcribe.embedded.ports import HOST, free_port, is_taken
from transcribe.embedded.temporal import Temporal
from transcribe.test_compose import SERVICES, trial

NOT_HERE = 3
SITE, AUTH = "transcribe.localhost", "auth.localhost"
PERSON, PASSWORD = "someone", "a-long-word-for-this-proof"
BIG = 100 << 20  # bytes
WAIT_SECONDS = 400.0


class Proof:
    """The parts of compose.yml, one after another; each leaves what the next needs."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.volumes = folder / "volumes"
        self.web_port, self.https_port, self.database_port = free_port(), free_port(), free_port()
        self.issuer = f"https://{AUTH}:{self.https_port}/"
        self.account = pwd.getpwnam("postgres") if _has_postgres() else pwd.getpwnam("nobody")

    def packages(self) -> None:
        self.web = Room(build(self.folder), self.volumes)
        assert not list(self.web.tree.glob(".venv/lib/*/site-packages/torch")), "the web image holds torch"
        self.worker = Room(build(self.folder, ["worker"]), self.volumes)
        for name in ("media", "models", "static", "secrets"):
            (self.volumes / name).mkdir(parents=True)
            if name != "secrets":
                os.chown(self.volumes / name, 10001, 10001)

        (self.volumes / "hosts").write_text(f"127.0.0.1 localhost {SITE} {AUTH}\n")

    def secrets(self) -> None:
        given = {"DATABASE_URL": f"postgresql://transcribe:PASSWORD@{HOST}:{self.database_port}/transcribe"}
        for _ in range(2):  # a second start finds them
            self.web.run(["python", "deploy/make_secrets.py"], given, "0:0", keeps=",+chown")
            password = (self.volumes / "secrets/kept/transcribe").read_text()
            given["DATABASE_URL"] = given["DATABASE_URL"].replace("PASSWORD", password)
        shown = self.web.run(["python", "deploy/make_secrets.py", "show"], {}, "0:0", keeps=",+chown")
        assert shown.startswith("transcribe-admin "), shown

    def postgres(self) -> None:
        """As the image of Postgres does it: initdb with a password file, then the script of roles."""
        self.programs = postgres_folder(self.account)
        home, passwords = places.make(self.folder / "database", 0o755), self.volumes / "secrets/postgres"
        os.chown(home, self.account.pw_uid, -1)
        data = home / "data"
        as_postgres = ["setpriv", "--reuid", str(self.account.pw_uid), "--regid", "999", "--clear-groups", "--"]
        initdb = [f"{self.programs}/initdb", "-D", str(data), "-U", "postgres", f"--pwfile={passwords / 'postgres'}"]
        _run([*as_postgres, *initdb, "--auth-host=scram-sha-256", "--auth-local=trust", "--data-checksums"])
        options = ["-p", str(self.database_port), "-c", f"listen_addresses={HOST}", "-k", str(home)]
        self.start([*as_postgres, f"{self.programs}/postgres", "-D", str(data), *options], signal.SIGINT)
        asked = [f"{self.programs}/pg_isready", "--quiet", "-h", HOST, "-p", str(self.database_port)]
        _until("Postgres", lambda: subprocess.run(asked, check=False).returncode == 0)
        here = {"PATH": f"{self.programs}:/usr/bin:/bin", "PGPORT": str(self.database_port)}
        local = {**here, "PGHOST": str(home), "POSTGRES_USER": "postgres", "SECRETS_FOLDER": str(passwords)}
        _run([*as_postgres, "sh", str(places.CHECKOUT / "deploy/postgres/roles.sh")], local)
        self.network = {**here, "PGHOST": HOST}
        stranger = {**self.network, "PGPASSWORD": (passwords / "temporal").read_text()}
        asked = [f"{self.programs}/psql", "-U", "temporal", "-d", "transcribe", "-c", "SELECT 1"]
        refused = subprocess.run(asked, env=stranger, capture_output=True, check=False)
        assert b"permission denied" in refused.stderr, refused.stderr

    def static_files(self) -> None:
        """The build step of the image, with its throw-away key."""
        step = "SECRET_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))') DATA_DIR=/tmp/built "
        step += "DATABASE_URL=postgresql://n@x/n ALLOWED_HOSTS=build.invalid "
        step += "python manage.py collectstatic --no-input --verbosity 0 && tar -C /tmp/built/static -c . | base64"
        archive = self.folder / "collected"
        archive.write_text(self.web.run(["sh", "-c", step], {}))
        _run(["sh", "-c", f"base64 -d {archive} | tar -x -C {self.volumes / 'static'}"])

    def tables(self) -> None:
        self.web.run(["python", "manage.py", "check", "--deploy", "--fail-level", "WARNING"], self.settings())
        self.web.run(["python", *SERVICES["migrate"]["command"]], self.settings())

    def pages(self) -> None:
        line = ["python", "-m", "transcribe.web", "--host", HOST, "--port", str(self.web_port)]
        given = {**self.settings(), "FORWARDED_ALLOW_IPS": HOST, "LOCAL_LOGIN": "true"}
        self.keep(self.web.start(line, given))
        _until("the web process", lambda: is_taken(self.web_port))
        check = f"from transcribe.web import answers; raise SystemExit(not answers({self.web_port}))"
        self.web.run(["python", "-c", check], {})
        person = {**self.settings(), "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
        self.web.run(
            ["python", "manage.py", "createsuperuser", "--no-input", "--username", PERSON, "--email", "a@b.test"],
            person,
        )

    def caddy(self) -> None:
        """In front of the web process, and of a provider of our own where Authentik would be."""
        liar = self.stack.enter_context(lying())
        provider, liar.issuer = urlsplit(liar.issuer).netloc, self.issuer
        liar.lies["discovery"] = told(liar.discovered(id_token_signing_alg_values_supported=["RS256"]))
        given = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TRANSCRIBE_HOST": f"{SITE}:{self.https_port}",
            "AUTH_HOST": f"{AUTH}:{self.https_port}",
            "CA_FOLDER": str(self.volumes / "secrets/caddy"),
            "WEB_UPSTREAM": f"{HOST}:{self.web_port}",
            "AUTH_UPSTREAM": provider,
        }
        file = places.CHECKOUT / "deploy/caddy/Caddyfile"
        line = ["caddy", "run", "--adapter", "caddyfile", "--config", str(file)]
        with (self.folder / "caddy.log").open("wb") as log:
            self.keep(subprocess.Popen(leashed(line), env=given, stdout=log, stderr=log))
        _until("Caddy", lambda: is_taken(self.https_port))
        self.trust = create_default_context(cafile=str(self.volumes / "secrets/app/trusted.crt"))

    def sign_in(self) -> None:
        """Over HTTPS by the provider's public name, with the own authority: as the containers talk to each other."""
        self.web.run(["python", *SERVICES["sign-in"]["command"]], self.settings())

    def transcribes(self) -> None:
        temporal = Temporal(self.folder)
        temporal.start(lambda line: None)
        assert temporal.process is not None
        self.keep(temporal.process)
        self.keep(self.worker.start(["python", "manage.py", "worker"], self.settings(temporal.address)))

    def people_upload(self) -> None:
        """Through Caddy: sign in, one sample and one file of 100 MiB, the socket, and what it refuses."""
        base = f"https://{SITE}:{self.https_port}"
        with httpx.Client(base_url=base, timeout=60, transport=_Here(verify=self.trust)) as client:
            client.get("/sign-in/").raise_for_status()
            assert client.get("/oidc/start/").headers["location"].startswith(f"{self.issuer}authorize?")
            form = {"username": PERSON, "password": PASSWORD, "csrfmiddlewaretoken": client.cookies["__Host-csrftoken"]}
            assert client.post("/sign-in/", data=form, headers={"Referer": base}).status_code == 302
            sample = self.upload(client, base, (SAMPLES / "english.mp3").read_bytes())
            began = time.monotonic()
            self.upload(client, base, (SAMPLES / "english.mp3").read_bytes() + os.urandom(BIG))
            print(f"    100 MiB through Caddy in {time.monotonic() - began:.1f} s")
            too_large = client.post("/sign-in/", content=bytes(18 << 20), headers={"Referer": base})
            assert too_large.status_code == 413, too_large.status_code
            cookie = f"__Host-sessionid={client.cookies['__Host-sessionid']}"
            print(f"    first message of the socket: {len(asyncio.run(self.listen(cookie, sample)))} characters")
            self.wait_for_text(client, sample)

    def upload(self, client: httpx.Client, base: str, content: bytes) -> str:
        headers = {"X-CSRFToken": client.cookies["__Host-csrftoken"], "Origin": base}
        answer = client.post("/api/v1/upload", files={"file": ("talk.mp3", content)}, headers=headers)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def listen(self, cookie: str, job: str) -> str:
        site = f"{SITE}:{self.https_port}"
        async with websockets.connect(
            f"wss://{site}/live/{job}/",
            ssl=self.trust,
            origin=websockets.Origin(f"https://{site}"),
            additional_headers={"Cookie": cookie},
            host=HOST,
            port=self.https_port,
        ) as socket:
            return str(await asyncio.wait_for(socket.recv(), 20))

    def wait_for_text(self, client: httpx.Client, job: str) -> None:
        line = ["python", "manage.py", "token", "make", PERSON, "--name", "proof", "--scope", "jobs:read"]
        bearer = {"Authorization": f"Bearer {self.web.run(line, self.settings()).split()[-1]}"}

        def state() -> str:
            return str(client.get(f"/api/v1/jobs/{job}", headers=bearer).json()["state"])

        _until("the text", lambda: state() not in ("queued", "running"))
        assert state() == "succeeded", state()

    def backup(self) -> None:
        to = places.make(self.folder / "backups", 0o755)
        os.chown(to, 10001, -1)
        secrets = str(self.volumes / "secrets/postgres")
        given = {**self.network, "MEDIA_FOLDER": str(self.volumes / "media"), "SECRETS_FOLDER": secrets}
        line = ["setpriv", "--reuid", "10001", "--regid", "999", "--clear-groups", "--bounding-set", "-all", "--"]
        line += ["sh", str(places.CHECKOUT / "deploy/backup.sh")]
        made = Path(_run(line, {**given, "BACKUP_FOLDER": str(to)}).strip())
        listed = (made / "media.txt").read_text().splitlines()
        assert listed
        for size, path in (entry.split(" ", 1) for entry in listed):
            assert (to / "media" / path).stat().st_size == int(size)
        tables = _run([f"{self.programs}/pg_restore", "--list", str(made / "transcribe.dump")], self.network)
        assert "TABLE DATA public jobs_segment" in tables

    def settings(self, temporal: str = "127.0.0.1:1") -> dict[str, str]:
        """Of compose.yml, but for addresses."""
        given = {name: trial(value) for name, value in SERVICES["web"]["environment"].items()}
        ours = {
            "OIDC_ISSUER": self.issuer,
            "WHISPER_MODEL": "/srv/app/worker/demo/demo.pt",
            "ENGINE_SLOTS": "1",
            "DISK_RESERVE_BYTES": "1",
        }
        return {**image_environment(), **given, **ours, "TEMPORAL_ADDRESS": temporal}

    def start(self, line: Sequence[str], asked_by: signal.Signals = signal.SIGTERM) -> None:
        with (self.folder / "others.log").open("ab") as log:
            process = subprocess.Popen(leashed(line), stdout=log, stderr=log)
        self.keep(process, asked_by)

    def keep(self, process: "subprocess.Popen[bytes]", asked_by: signal.Signals = signal.SIGTERM) -> None:
        self.stack.callback(stop, process, asked_by, 60)


class _Here(httpx.HTTPTransport):
    """Names of *.localhost are this machine, which not every resolver knows."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        here = request.url.copy_with(host=HOST)
        named = {**request.extensions, "sni_hostname": SITE}
        return super().handle_request(
            httpx.Request(request.method, here, headers=request.headers, stream=request.stream, extensions=named)
        )


def _has_postgres() -> bool:
    return any(entry.pw_name == "postgres" for entry in pwd.getpwall())


def _run(line: Sequence[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=300, check=False, cwd="/")
    if done.returncode:
        raise RuntimeError(f"{' '.join(line)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def _until(what: str, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {WAIT_SECONDS:.0f} s")
        time.sleep(0.2)


@contextmanager
def _told(step: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    print(f"{step:<16}{time.monotonic() - start:6.1f} s", flush=True)


def main() -> int:
    if os.geteuid() or not all(map(shutil.which, ("caddy", "unshare", "setpriv"))):
        print("Not here: this needs root, caddy, unshare and setpriv.")
        return NOT_HERE
    folder = places.scratch()
    with ExitStack() as stack:
        proof = Proof(folder, stack)
        for step in (proof.packages, proof.secrets, proof.postgres, proof.static_files, proof.tables, proof.pages,
                     proof.caddy, proof.sign_in, proof.transcribes, proof.people_upload, proof.backup):  # fmt: skip
            with _told(step.__name__):
                step()
    print("Every command of the images ran as they would run it.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
