"""What operators do, in the audit log. Django's own log knows no addresses, and goes with the account."""

from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from accounts.audit import Kind, note
from accounts.models import User

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin  # generic in its stubs only


class Noted(ModelAdmin):
    """Pages of the administration whose changes are noted."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self.note(request, obj, "add")
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self.note(request, obj, message if message and isinstance(message, str) else "change")  # or the name of a verb
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        for row in queryset:
            self.note(request, row, "delete")
        return super().log_deletions(request, queryset)

    def note(self, request: HttpRequest, row: Model, what: str) -> None:
        """`what` was done to `row`, by who asks: a word of ours."""
        note(Kind.ADMINISTERED, cast(User, request.user), row.pk, f"{what} {row._meta.model_name}")


class EvidenceAdmin(Noted):
    """Rows that say what happened: changing, adding or dropping single ones would make them lie."""

    show_full_result_count = False  # counting all rows on every page is slow

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Django's right to change these rows gives the verbs of their list; the rows themselves nobody edits."""
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")
