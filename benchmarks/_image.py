"""A room like a container, made by hand: the image's files read-only, its account, no capabilities."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from transcribe.embedded import assets, places
from transcribe.embedded.child import leashed

ACCOUNT = 10001
LEFT_OUT = ("test_*.py", "conftest.py")  # as .dockerignore says
BUILT = ("static/island", "transcribe/theme/static/css/dist")
LOCKED = ("pyproject.toml", "uv.lock", ".python-version")
# Mounts that only this process and its children see. /root is hidden but for Python, which may live there; what the
# image has below /app stands below /srv/app, because a mount needs a folder that is there.
ENTER = """
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 none /mnt
mkdir /mnt/python /mnt/app /mnt/media /mnt/models /mnt/static /mnt/secrets
mount --bind "$PYTHON" /mnt/python
mount --bind "$TREE" /mnt/app
mount -o remount,bind,ro /mnt/app
for name in media models static secrets; do mount --bind "$VOLUMES/$name" /mnt/$name; done
mount -o remount,bind,ro /mnt/static
mount --bind "$VOLUMES/hosts" /etc/hosts
mount -t tmpfs -o mode=755 none /root
mkdir -p "$PYTHON"
mount --move /mnt/python "$PYTHON"
mount -t tmpfs -o mode=755 none /srv
mkdir -p /srv/app /srv/transcribe/media /srv/transcribe/models /srv/transcribe/static
mount --move /mnt/app /srv/app
for name in media models static; do mount --move /mnt/$name /srv/transcribe/$name; done
mount -t tmpfs -o mode=755 none /run
mkdir /run/secrets
mount --move /mnt/secrets /run/secrets
[ -n "$WRITES_SECRETS" ] || mount -o remount,bind,ro /run/secrets
umount /mnt
mount -t tmpfs -o mode=1777 none /tmp
mount -o remount,bind,ro /srv
mount -o remount,bind,ro /
cd /srv/app
exec "$@"
"""


@dataclass
class Room:
    """`tree` is what the image has in /app; `volumes` holds media, models, static, secrets, and the file of hosts."""

    tree: Path
    volumes: Path

    def command(
        self, line: Sequence[str], given: Mapping[str, str], user: str = f"{ACCOUNT}:{ACCOUNT}", keeps: str = ""
    ) -> list[str]:
        """What runs `line` in the room, as this user, with this environment and nothing else. `keeps`: capabilities."""
        number, group = user.split(":")
        who = ["--reuid", number, "--regid", group, "--clear-groups", "--no-new-privs"]
        what = ["--bounding-set", f"-all{keeps}", "--inh-caps", "-all"]
        environment = {"PATH": "/srv/app/.venv/bin:/usr/bin:/bin", "HOME": "/tmp", **given}  # noqa: S108 - the room's own
        enter = ["unshare", "--mount", "sh", "-c", ENTER, "room", "setpriv", *who, *what, "--", "env", "-i"]
        return [*enter, *(f"{name}={value}" for name, value in environment.items()), *line]

    def environment(self, writes_secrets: bool = False) -> dict[str, str]:
        """For what enters the room, before it has the environment of its own."""
        ours = {"PYTHON": sys.base_prefix, "TREE": str(self.tree), "VOLUMES": str(self.volumes)}
        return {"PATH": os.environ["PATH"], **ours, "WRITES_SECRETS": "yes" if writes_secrets else ""}

    def run(
        self, line: Sequence[str], given: Mapping[str, str], user: str = f"{ACCOUNT}:{ACCOUNT}", keeps: str = ""
    ) -> str:
        """Its standard output; RuntimeError with what it said when it fails."""
        entered = self.command(line, given, user, keeps)
        done = subprocess.run(
            entered, env=self.environment(bool(keeps)), capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(line)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
        return done.stdout

    def start(self, line: Sequence[str], given: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(leashed(self.command(line, given)), env=self.environment())


def build(folder: Path, groups: Sequence[str] = ()) -> Path:
    """What the Dockerfile's stages `code` and `packages` make; `groups` of uv besides what the web process needs."""
    tree = folder / "-".join(["app", *groups])
    for path in [*_copied(), *LOCKED]:
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(places.CHECKOUT / path, tree / path)
    assets.build()
    for path in BUILT:
        shutil.copytree(places.CHECKOUT / path, tree / path, dirs_exist_ok=True)
    line = ["uv", "sync", "--quiet", "--locked", "--no-default-groups", "--python", sys.base_prefix + "/bin/python3"]
    line += [word for group in groups for word in ("--group", group)]
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    subprocess.run(line, cwd=tree, env=environment, check=True)
    return tree


def image_environment() -> dict[str, str]:
    """The ENV lines of the Dockerfile that name folders."""
    text = (places.CHECKOUT / "Dockerfile").read_text()
    return dict(re.findall(r"\b(DATA_DIR|MEDIA_ROOT|MODEL_FOLDER)=(\S+)", text))


def _copied() -> list[str]:
    stage = (places.CHECKOUT / "Dockerfile").read_text().partition("FROM base AS code")[2].partition("FROM ")[0]
    sources = [word for line in re.findall(r"^COPY (.+)$", stage, re.M) for word in line.split()[:-1]]
    listed = subprocess.run(
        ["git", "ls-files", "--", *sources], cwd=places.CHECKOUT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    return [
        path
        for path in listed
        if path and not path.startswith("accounts/testing/")
        if not any(fnmatch(Path(path).name, pattern) for pattern in LEFT_OUT)
    ]
