"""Refusals of the upload door, beside those every door has."""

from jobs.errors import BadUpload, Conflict, JobError


class NotSignedIn(JobError):
    """No session and no token, or ones that have ended."""

    code, status = "not_signed_in", 401


class NotOurForm(JobError):
    """The request came from another site, or without the token of our form."""

    code, status = "forbidden", 403


class ScopeMissing(JobError):
    """A good token that was made for something else."""

    code, status = "scope_missing", 403


class WrongMethod(JobError):
    """Only POST is known here."""

    code, status = "wrong_method", 405


class WrongType(BadUpload):
    """The body is not a form with a file."""

    code, status = "wrong_type", 415


class Unavailable(JobError):
    """The database does not answer."""

    code, status = "unavailable", 503


class TooManyUploads(JobError):
    """This person has as many unfinished uploads as one may have."""

    code, status = "too_many_uploads", 429


class WrongOffset(Conflict):
    """The client goes on at another place than the one where the file ends."""

    code = "wrong_offset"


class Expired(JobError):
    """Nobody went on with this upload for too long."""

    code, status = "expired", 410


class WrongVersion(JobError):
    """The client speaks a version of the protocol that we do not."""

    code, status = "wrong_version", 412


class Locked(Conflict):
    """Another connection writes to this upload."""

    code, status = "locked", 423


class Interrupted(Locked):
    """Another connection asked for this upload, so this one gave way. Clients ask for the offset and go on."""

    code = "interrupted"
