"""Refusals of the upload door, beside those every door has."""

from jobs.errors import BadUpload, Conflict, JobError


class NotSignedIn(JobError):
    """No session and no token, or ones that have ended."""

    code, status = "not_signed_in", 401


class NotOurForm(JobError):
    """The request came from another site, or without the token of our form."""

    code, status = "forbidden", 403


class WrongMethod(JobError):
    """Only POST is known here."""

    code, status = "wrong_method", 405


class WrongType(BadUpload):
    """The body is not a form with a file."""

    code, status = "wrong_type", 415


class Locked(Conflict):
    """Another connection writes to this upload."""

    code, status = "locked", 423
