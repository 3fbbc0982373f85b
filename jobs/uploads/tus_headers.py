"""What tus 1.0.0 says in headers, read and written."""

import binascii
import re
from base64 import b64decode

from django.conf import settings
from django.urls import reverse
from django.utils.http import http_date

from jobs.errors import BadUpload
from jobs.models import Upload
from jobs.uploads import store
from jobs.uploads.refusals import WrongType, WrongVersion
from jobs.uploads.wire import Headers, Scope, declared_length, header

VERSION = b"1.0.0"
EXTENSIONS = b"creation,creation-with-upload,termination,expiration"
CONTENT_TYPE = b"application/offset+octet-stream"
MAX_METADATA_BYTES = 8 << 10


def check_version(scope: Scope) -> None:
    """Raises WrongVersion unless the client speaks ours."""
    if header(scope, b"tus-resumable") != VERSION:
        raise WrongVersion("Send the header %(header)s.", header=f"Tus-Resumable: {VERSION.decode()}")


def has_body(scope: Scope) -> bool:
    """Whether the request brings bytes, of told or untold number."""
    return bool(declared_length(scope)) or header(scope, b"transfer-encoding") is not None


def check_type(scope: Scope) -> None:
    """Raises WrongType for a body that is not a piece of a file."""
    if header(scope, b"content-type") != CONTENT_TYPE:
        raise WrongType("Send the bytes with Content-Type: %(type)s.", type=CONTENT_TYPE.decode())


def read_length(scope: Scope) -> int:
    """Upload-Length in bytes: told, not zero and within the limit. Raises BadUpload or TooLarge."""
    if header(scope, b"upload-defer-length") is not None:
        raise BadUpload("Say how long the file is: Upload-Length instead of Upload-Defer-Length.")
    length = _number(scope, b"upload-length")
    if length == 0:
        raise BadUpload("The file is empty. Choose another one.", code="empty")
    store.check_size(length)
    return length


def read_offset(scope: Scope) -> int:
    """Upload-Offset in bytes. Raises BadUpload."""
    return _number(scope, b"upload-offset")


def read_metadata(scope: Scope) -> tuple[str, dict[str, str]]:
    """Upload-Metadata as it was sent, and its keys and decoded values. Raises BadUpload."""
    raw = header(scope, b"upload-metadata") or b""
    if not raw.isascii() or len(raw) > MAX_METADATA_BYTES:
        raise BadUpload("Upload-Metadata is too long or not ASCII.")
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in raw.decode().split(","))):
        key, _, value = pair.partition(" ")
        if key in found:
            raise BadUpload("Upload-Metadata names “%(key)s” twice.", key=key)
        found[key] = _decoded(key, value)
    return raw.decode(), found


def facts(upload: Upload) -> Headers:
    """Where an upload is, how far it came, until when it waits, or where the recording is that it became (X-Job)."""
    found = [(b"upload-offset", str(upload.offset).encode()), (b"upload-length", str(upload.length).encode())]
    if upload.job_id is None:
        found.append((b"upload-expires", http_date(upload.expires_at.timestamp()).encode()))
    else:
        found.append((b"x-job", reverse("job", args=[upload.job_id]).encode()))
    return found


def abilities() -> Headers:
    """What OPTIONS tells."""
    limit = str(settings.UPLOAD_LIMIT_BYTES).encode()
    return [(b"tus-version", VERSION), (b"tus-extension", EXTENSIONS), (b"tus-max-size", limit)]


def _number(scope: Scope, name: bytes) -> int:
    value = header(scope, name) or b""
    if not re.fullmatch(rb"[0-9]{1,18}", value):
        raise BadUpload("Send %(header)s as a whole number of bytes.", header=name.decode().title())
    return int(value)


def _decoded(key: str, value: str) -> str:
    try:
        return b64decode(value, validate=True).decode(errors="replace")
    except binascii.Error:
        raise BadUpload("The value of “%(key)s” in Upload-Metadata is not Base64.", key=key) from None
