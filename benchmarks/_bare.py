"""The limit of `poe bench api`: our settings and addresses, and beside them one view that asks nothing of anybody.

`DJANGO_SETTINGS_MODULE=benchmarks._bare` serves it at `/bare`.
"""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse

from transcribe.settings import *  # noqa: F403  # the same settings, but for the addresses

ROOT_URLCONF = "benchmarks._bare_urls"
ALLOWED_HOSTS = ["*"]
API_REQUESTS_PER_MINUTE = 1_000_000  # the rate is not what is measured


@login_not_required
def bare(request: HttpRequest) -> JsonResponse:
    """What any view costs in this process: routing, middleware, JSON."""
    return JsonResponse({"status": "ok"})
