"""One sign-in at the provider from its start to the answer: what this browser began, kept in its session.

Only an answer to something begun here changes anything: `state` names it, once, for ten minutes.
"""

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.http import HttpRequest
from django.urls import reverse
from django.utils.crypto import get_random_string
from django.utils.http import url_has_allowed_host_and_scheme
from mozilla_django_oidc.utils import add_state_and_verifier_and_nonce_to_session, generate_code_challenge

from accounts import provider

LIFETIME_SECONDS = 600
STATES = "oidc_states"  # where the library keeps them


@dataclass(frozen=True)
class Flow:
    """`refresh_of`: the id of the signed-in person whose session is being refreshed, else None."""

    nonce: str
    code_verifier: str
    next: str
    refresh_of: int | None


def begin(request: HttpRequest, next_path: str, until: float, refresh_of: int | None = None) -> str:
    """Note a new flow in the session; the provider's address to send the browser to. Raises ProviderError."""
    endpoint = provider.discovery(until, age=60 if refresh_of else provider.KEEP_SECONDS).authorization
    state, nonce, verifier = get_random_string(32), get_random_string(32), get_random_string(64)
    asked = {
        "response_type": "code",
        "scope": settings.OIDC_SCOPES,
        "client_id": settings.OIDC_CLIENT_ID,
        "redirect_uri": request.build_absolute_uri(reverse("oidc_authentication_callback")),
        "state": state,
        "nonce": nonce,
        "code_challenge": generate_code_challenge(verifier, "S256"),
        "code_challenge_method": "S256",
        **({"prompt": "none"} if refresh_of else {}),
    }
    add_state_and_verifier_and_nonce_to_session(request, state, asked, verifier)
    request.session[STATES][state] |= {"next": next_path, "refresh_of": refresh_of}
    request.session.modified = True
    if not request.user.is_authenticated:  # most of these are robots': their rows must not stay for weeks
        request.session.set_expiry(LIFETIME_SECONDS)
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"


def take(request: HttpRequest) -> Flow | None:
    """The flow that this answer belongs to, which is over with that; None for anything else, and nothing changes."""
    state, states = request.GET.get("state", ""), request.session.get(STATES)
    if not isinstance(states, dict) or state not in states:
        return None
    found: dict[str, Any] = states.pop(state)
    request.session.modified = True
    try:
        request.session.save()  # now: the provider takes its time, and the same answer may come again meanwhile
    except UpdateError:  # the session ended between reading and writing
        return None
    request.session = type(request.session)(request.session.session_key)  # other tabs may write theirs meanwhile
    if time.time() - found["added_on"] > LIFETIME_SECONDS:
        return None
    return Flow(found["nonce"], found["code_verifier"], found.get("next", ""), found.get("refresh_of"))


def safe_next(request: HttpRequest, wanted: str | None) -> str:
    """A path of this site, or its start."""
    good = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if wanted and good else settings.LOGIN_REDIRECT_URL
