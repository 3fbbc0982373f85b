"""Sessions asked for in bulk obey the rules of Django's own `get_user`."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, get_user
from django.http import HttpRequest
from django.test import Client

from accounts.models import User
from accounts.sessions import SessionStore
from accounts.signed_in import users_of


def session_of(user: User) -> SessionStore:
    client = Client()
    client.force_login(user)
    return SessionStore(client.cookies["sessionid"].value)


def changed(**values: object) -> Callable[[SessionStore, User], None]:
    def change(session: SessionStore, user: User) -> None:
        session.update(values)
        session.save()

    return change


def expire(session: SessionStore, user: User) -> None:
    session.set_expiry(timedelta(seconds=-1))
    session.save()


def disable(session: SessionStore, user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def change_password(session: SessionStore, user: User) -> None:
    user.set_password("another long password")
    user.save()


@pytest.mark.parametrize(
    "spoil",
    [
        changed(**{HASH_SESSION_KEY: "0" * 64}),
        changed(**{HASH_SESSION_KEY: ""}),
        changed(**{BACKEND_SESSION_KEY: "switched.off.Backend"}),
        expire,
        disable,
        change_password,
        lambda session, user: user.delete(),
        lambda session, user: session.delete(),
    ],
)
def test_a_session_that_does_not_hold_is_nobodys(alice: User, bob: User, spoil: Any) -> None:
    good, bad = session_of(bob), session_of(alice)
    key = str(bad.session_key)
    assert set(users_of([key, str(good.session_key)]).values()) == {alice, bob}
    spoil(bad, alice)
    assert list(users_of([key, str(good.session_key)]).values()) == [bob]
    request = HttpRequest()
    request.session = SessionStore(key)
    assert not get_user(request).is_active


def test_a_session_outlives_a_new_secret_while_the_old_one_is_a_fallback(alice: User, settings: Any) -> None:
    key = str(session_of(alice).session_key)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a-new-secret-" * 5, [settings.SECRET_KEY]
    # The stored session is signed with the same secrets, so Django reads it too.
    assert users_of([key]) == {key: alice}


def test_one_query_however_many(alice: User, bob: User, django_assert_num_queries: Any) -> None:
    keys = [str(session_of(user).session_key) for user in (alice, bob) * 3]
    with django_assert_num_queries(1):
        assert len(users_of([*keys, "unknown", ""])) == 6
