"""Makes what the services of compose.yml keep secret, once, at the first start; `show` says who signs in first.

All of it is kept in one folder (a volume) that no service sees. What one of them needs is copied from there, at each
start, into a folder of that service alone, readable by its group. DATABASE_URL and OIDC_CLIENT_SECRET, where they are
given, are those of servers outside and take the place of what is made.
"""

import os
import secrets
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ROOT = Path("/run/secrets")
KEPT = "kept"
MADE = (
    "secret_key",  # Django's: sessions, tokens
    *("postgres", "transcribe", "temporal", "authentik"),  # passwords of database roles
    "oidc_client_secret",  # between the web process and Authentik
    *("authentik_key", "akadmin_password"),  # Authentik's own
    "admin_password",  # of the first person, at Authentik
    "machine_password",  # of the service account, at Authentik
)
GIVEN = {"DATABASE_URL": "database_url", "OIDC_CLIENT_SECRET": "oidc_client_secret"}
SHARED = ("oidc_client_secret", "trusted.crt")
FOLDERS = {  # of each service: its group, and what it gets
    "app": (10001, ("secret_key", "database_url", *SHARED)),
    "postgres": (999, ("postgres", "transcribe", "temporal", "authentik")),
    "temporal": (1000, ("temporal",)),
    "authentik": (
        1000,
        ("authentik", "authentik_key", "akadmin_password", "admin_password", "machine_password", *SHARED),
    ),
    "caddy": (0, ("ca.crt", "ca.key")),
}
INTERNAL = ("localhost", "local", "internal", "home.arpa")  # the names that Caddy signs for itself
YEARS = 10
FIRST_PERSON = "transcribe-admin"  # as deploy/authentik/blueprint.yaml makes it


def make(kept: Path) -> None:
    """Whatever is not there yet."""
    kept.mkdir(mode=0o700, exist_ok=True)
    for name in MADE:
        if not (kept / name).exists():
            _write(kept / name, secrets.token_hex(32))
    if not (kept / "ca.crt").exists():
        _make_authority(kept)
    if not (kept / "database_url").exists():
        password = (kept / "transcribe").read_text()
        _write(kept / "database_url", f"postgresql://transcribe:{password}@postgres/transcribe")
    _write(kept / "trusted.crt", Path(certifi.where()).read_text() + (kept / "ca.crt").read_text())
    for variable, name in GIVEN.items():
        if value := os.environ.get(variable):
            _write(kept / name, value)


def hand_out(kept: Path, root: Path) -> None:
    """To each service its own. A folder that was there is a mounted volume: emptied of what is not in the list."""
    for folder, (group, names) in FOLDERS.items():
        place = root / folder
        place.mkdir(exist_ok=True)
        os.chown(place, -1, group)
        place.chmod(0o750)
        for name in names:
            _write(place / name, (kept / name).read_text(), group)
        for left in place.iterdir():
            if left.is_file() and left.name not in names:
                left.unlink()


def _make_authority(kept: Path) -> None:
    """For Caddy, where no public authority can vouch: a trial's *.localhost. Good for internal names alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Transcribe, this machine's own authority")])
    now = datetime.now(UTC)
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=365 * YEARS))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
    builder = builder.add_extension(usage, critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    allowed = [x509.DNSName(each) for each in INTERNAL]
    builder = builder.add_extension(x509.NameConstraints(allowed, None), critical=True)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(kept / "ca.key", private.decode())
    _write(kept / "ca.crt", builder.sign(key, hashes.SHA256()).public_bytes(pem).decode())


def _write(path: Path, text: str, group: int = -1) -> None:
    """In one step, so that a start that was cut off leaves no half of a secret."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w") as file:
        file.write(text)
    os.chown(part, -1, group)
    part.chmod(0o400 if group == -1 else 0o440)
    part.replace(path)


def main() -> None:
    kept = ROOT / KEPT
    if sys.argv[1:] == ["show"]:
        print(f"{FIRST_PERSON} {(kept / 'admin_password').read_text()}")
        return
    make(kept)
    hand_out(kept, ROOT)


if __name__ == "__main__":
    main()
