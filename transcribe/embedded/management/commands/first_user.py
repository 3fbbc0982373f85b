"""`manage.py first_user`: what the embedded stack asks for at its start. Prints JSON for the process that asked."""

import json
import secrets
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.links import sign_in_link
from accounts.models import User

NAME = "admin"


class Command(BaseCommand):
    help = "Embedded stack only: make the first administrator if there is none; print its one-time sign-in link."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.EMBEDDED:
            raise CommandError("This command is for the embedded stack. Use `manage.py createsuperuser`.")
        user, password = _administrator()
        self.stdout.write(json.dumps({"username": user.username, "password": password, "link": sign_in_link(user)}))


def _administrator() -> tuple[User, str]:
    """The first administrator, and the password if it was made now: it is stored nowhere in clear."""
    found = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    if found is not None:
        return found, ""
    password = secrets.token_urlsafe(12)
    return User.objects.create_superuser(NAME, password=password), password
