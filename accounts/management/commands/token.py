"""`manage.py token make|list|revoke`: personal tokens without the account page, for operators and service accounts."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import personal
from accounts.grants import Grant
from accounts.models import PersonalToken, User


class Command(BaseCommand):
    help = "Make, list or revoke personal access tokens."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        make = verbs.add_parser("make", help="make a token and print it, once")
        make.add_argument("user", help="the user name of its owner")
        make.add_argument("--name", required=True, help="what it is for")
        make.add_argument(
            "--scope", action="append", required=True, choices=[*Grant], help="may be given several times"
        )
        make.add_argument("--days", type=int, default=90, help="valid for so many days (default: 90)")
        verbs.add_parser("list", help="the tokens of a user").add_argument("user")
        verbs.add_parser("revoke", help="end a token").add_argument("id", type=int, help="as `list` shows it")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        if verb == "make":
            self._make(_owner(options["user"]), options["name"], frozenset(options["scope"]), options["days"])
        elif verb == "list":
            self._list(_owner(options["user"]))
        else:
            self._revoke(options["id"])

    def _make(self, owner: User, name: str, scopes: frozenset[str], days: int) -> None:
        """The token alone on standard output, so that a script can take it; the rest on standard error."""
        try:
            row, token = personal.make(owner, name[:100], scopes, days)
        except personal.TooMany:
            raise CommandError(f"{owner} has {personal.AT_ONCE} tokens. Revoke one first.") from None
        except ValueError:
            raise CommandError(f"--days must be 1 to {personal.LONGEST_DAYS}.") from None
        self.stderr.write(
            f"Token {row.pk} of {owner}, valid until {row.expires_at:%Y-%m-%d %H:%M} UTC. Shown only now:"
        )
        self.stdout.write(token)

    def _list(self, owner: User) -> None:
        for row in owner.tokens.order_by("pk"):
            used = f"{row.last_used_at:%Y-%m-%d %H:%M}" if row.last_used_at else "never"
            end = "revoked" if row.revoked_at else f"until {row.expires_at:%Y-%m-%d}"
            self.stdout.write(f"{row.pk}\t{row.name}\t{row.scope}\t{end}\tused {used}")

    def _revoke(self, key: int) -> None:
        row = PersonalToken.objects.filter(pk=key).first()
        if row is None:
            raise CommandError(f"There is no token {key}.")
        personal.revoke(row)
        self.stdout.write(f"Token {key} is revoked.")


def _owner(name: str) -> User:
    found = User.objects.filter(username=name).first()
    if found is None:
        raise CommandError(f"There is no user named {name}.")
    return found
