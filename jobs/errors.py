"""Refusals people see: a code for scripts, a sentence for people, and the HTTP status both doors answer with."""


class JobError(Exception):
    """A refusal. `code` is stable and for machines, `detail` is a sentence with the next step."""

    code = "refused"
    status = 400

    def __init__(self, detail: str, code: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code


class NotFound(JobError):
    """Not there, or not yours: the same answer for both."""

    code, status = "not_found", 404


class Conflict(JobError):
    """The run is no longer in a state that allows this."""

    code, status = "conflict", 409


class TooLarge(JobError):
    """More bytes than the operator allows."""

    code, status = "too_large", 413


class BadUpload(JobError):
    """The request or the file in it cannot be used."""

    code, status = "bad_upload", 400


class StorageFull(JobError):
    """The server has no room for the file; nothing was kept."""

    code, status = "storage_full", 507
