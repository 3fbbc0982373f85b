"""Waits until people can sign in: the provider's discovery document is there, names our issuer and says RS256.

Without a signing key Authentik signs with HS256, and says nothing: then no sign-in here would ever succeed.
"""

import json
import os
import sys
import time
import urllib.request

SECONDS, PAUSE, ANSWER = 300.0, 3.0, 5.0


def problem(issuer: str) -> str:
    """What is missing, as a sentence; empty when nothing is."""
    try:
        with urllib.request.urlopen(f"{issuer.rstrip('/')}/.well-known/openid-configuration", timeout=ANSWER) as answer:  # noqa: S310 - the operator's own address
            found = json.load(answer)
    except (OSError, ValueError) as error:
        return f"The provider does not answer at {issuer} ({error})."
    if found.get("issuer") != issuer:
        return f"The provider calls itself {found.get('issuer')}, OIDC_ISSUER says {issuer}."
    if "RS256" not in found.get("id_token_signing_alg_values_supported", []):
        return "The provider signs without a key of its own: choose a signing key for it there."
    return ""


def main() -> int:
    issuer, end = os.environ["OIDC_ISSUER"], time.monotonic() + SECONDS
    while (found := problem(issuer)) and time.monotonic() < end:
        time.sleep(PAUSE)
    print(found or f"People can sign in at {issuer}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
