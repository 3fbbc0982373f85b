"""People in the administration: Django's own form, with where they come from."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from accounts.models import User

if TYPE_CHECKING:
    Base = UserAdmin[User]
else:
    Base = UserAdmin  # generic in its stubs only


@admin.register(User)
class PersonAdmin(Base):
    """An account that owns recordings is switched off rather than deleted: deleting rows would leave their files."""

    list_display = ("username", "email", "issuer", "is_active", "is_staff", "is_superuser", "last_login")
    search_fields = ("username", "email", "first_name", "last_name", "subject")
    readonly_fields = ("issuer", "subject", "last_login", "date_joined")
    fieldsets = (*(UserAdmin.fieldsets or ()), ("Identity provider", {"fields": ("issuer", "subject")}))
