"""People in the administration: Django's own form, with where they come from; their tokens, never the secret."""

from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import personal
from accounts.models import AuditEvent, PersonalToken, Session, User
from accounts.noted import EvidenceAdmin, Noted

if TYPE_CHECKING:
    Base = UserAdmin[User]
else:
    Base = UserAdmin  # generic in their stubs only


@admin.register(User)
class PersonAdmin(Noted, Base):
    """An account that owns recordings is switched off rather than deleted: deleting rows would leave their files."""

    list_display = ("username", "email", "issuer", "is_active", "is_staff", "is_superuser", "last_login")
    search_fields = ("username", "email", "first_name", "last_name", "subject")
    readonly_fields = ("issuer", "subject", "last_login", "date_joined")
    fieldsets = (*(UserAdmin.fieldsets or ()), (gettext_lazy("Identity provider"), {"fields": ("issuer", "subject")}))
    actions = ("end_sessions",)

    @admin.action(description=gettext_lazy("Sign the chosen people out everywhere"), permissions=["change"])
    def end_sessions(self, request: HttpRequest, people: QuerySet[User]) -> None:
        """Session keys are not listed anywhere: whoever reads one is that person."""
        Session.objects.filter(user__in=people).delete()
        for person in people:
            self.note(request, person, "sign out")
        self.message_user(request, _("They are signed out. Their personal tokens go on working until revoked."))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Who gives rights could give them to themselves: superusers do that alone."""
        found = super().get_readonly_fields(request, obj)
        return found if _is_superuser(request) else (*found, *RIGHTS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)


RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


def _is_superuser(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.is_superuser


def _may_touch(request: HttpRequest, person: User | None) -> bool:
    """A new password for a colleague would be a way to the colleague's rights."""
    return person is None or _is_superuser(request) or not (person.is_staff or person.is_superuser)


admin.site.unregister(Group)


@admin.register(Group)
class NotedGroupAdmin(Noted, GroupAdmin):
    """Django's own, with what is done to it noted."""


@admin.register(PersonalToken)
class PersonalTokenAdmin(EvidenceAdmin):
    """Read only: owners and `manage.py token` make them. An operator may revoke one that got lost."""

    list_display = ("name", "owner", "scope", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_filter = ("expires_at", "revoked_at")
    list_select_related = ("owner",)
    search_fields = ("name", "owner__username")
    exclude = ("jti_sha256",)
    actions = ("revoke",)

    @admin.action(description=gettext_lazy("Revoke"), permissions=["act"])
    def revoke(self, request: HttpRequest, tokens: QuerySet[PersonalToken]) -> None:
        for token in tokens:
            personal.revoke(token, by=cast(User, request.user))
            self.log_change(request, token, "revoke")
        self.message_user(request, _("They are revoked. Scripts that use them are refused now."))


@admin.register(AuditEvent)
class AuditEventAdmin(EvidenceAdmin):
    """Read only, and gone after AUDIT_DAYS."""

    list_display = ("at", "kind", "name", "about", "detail", "address", "request_id")
    list_filter = ("kind", "at")
    date_hierarchy = "at"
    search_fields = ("name", "=about", "=address", "=request_id", "=person")
    ordering = ("-at",)
    exclude = ("once",)
