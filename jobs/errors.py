"""Refusals people see: a code for scripts, a sentence for people, and the HTTP status both doors answer with.

A sentence stands where it is raised, in English, and is said in the language of whoever reads it: the catalogue takes
the first argument of every class here for marked. What varies in it is a named value, `%(name)s`, never an f-string.
"""

from django.utils.translation import gettext


class JobError(Exception):
    """A refusal. `code` is stable and for machines, `detail` is a sentence with the next step.

    `values` fill the sentence's `%(name)s`.
    """

    code = "refused"
    status = 400

    def __init__(self, sentence: str, code: str | None = None, **values: object) -> None:
        super().__init__(sentence % values if values else sentence)
        self._sentence, self._values = sentence, values
        self.code = code or type(self).code

    @property
    def detail(self) -> str:
        """The sentence in the active language."""
        said = gettext(self._sentence)
        return said % self._values if self._values else said


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
