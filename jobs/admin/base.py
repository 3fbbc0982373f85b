"""What all lists of the administration share: evidence that is read only, titles by right, verbs with their results."""

from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.noted import EvidenceAdmin
from jobs.errors import JobError
from jobs.services.options import PRIVATE

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin  # generic in its stubs only

AT_ONCE = 200  # rows of one action: each takes its own transaction, and somebody waits for the page
NAMED = 5  # rows named in one message


class TitledAdmin(EvidenceAdmin):
    """Of rows with a title: `title` is in the list, the page and the search for those alone who may see titles."""

    def get_list_display(self, request: HttpRequest) -> Any:
        return _with_title(request, super().get_list_display(request))

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return _with_title(request, super().get_fields(request, obj))

    def get_search_fields(self, request: HttpRequest) -> Any:
        found = super().get_search_fields(request)
        return (*found, "title") if may_see_titles(request) else found


class OptionedAdmin(EvidenceAdmin):
    """Of rows with `options`: what people wrote in them themselves is shown to those alone who may see titles."""

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        names = super().get_fields(request, obj)
        return names if may_see_titles(request) else ["chosen" if name == "options" else name for name in names]

    @admin.display(description=gettext_lazy("options"))
    def chosen(self, row: Any) -> dict[str, object]:
        return {name: value for name, value in row.options.items() if name not in PRIVATE}


def may_see_titles(request: HttpRequest) -> bool:
    return request.user.has_perm("jobs.see_titles")


def _with_title(request: HttpRequest, names: Any) -> Any:
    return (*names[:1], "title", *names[1:]) if may_see_titles(request) else names


def too_many(page: ModelAdmin, request: HttpRequest, rows: QuerySet[Any]) -> bool:
    """Whether more were chosen than one request should do; then the operator is told so."""
    if rows.count() <= AT_ONCE:
        return False
    page.message_user(
        request, _("Choose at most %(count)d at once. Nothing was changed.") % {"count": AT_ONCE}, messages.ERROR
    )
    return True


def carry_out(page: ModelAdmin, request: HttpRequest, rows: QuerySet[Any], verb: Callable[[Any], object]) -> None:
    """The verb for each row, and a message for each result. A row in the wrong state is a result, not a failure."""
    if too_many(page, request, rows):
        return
    done: list[Model] = []
    refused: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        try:
            verb(row)
        except JobError as error:
            refused[error.detail].append(str(row.pk))
        except ObjectDoesNotExist:
            refused[_("It is not there any more.")].append(str(row.pk))
        else:
            done.append(row)
    _tell(page, request, done, refused, getattr(verb, "__name__", ""))


def _tell(page: ModelAdmin, request: HttpRequest, done: list[Model], refused: dict[str, list[str]], verb: str) -> None:
    for row in done:
        page.log_change(request, row, verb)
    if done:
        said = ngettext("%(count)d done.", "%(count)d done.", len(done)) % {"count": len(done)}
        page.message_user(request, said, messages.SUCCESS)
    for sentence, names in refused.items():
        more = _(" and %(count)d more") % {"count": len(names) - NAMED} if len(names) > NAMED else ""
        page.message_user(request, f"{', '.join(names[:NAMED])}{more}: {sentence}", messages.WARNING)
