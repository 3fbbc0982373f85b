"""The operators' page "Why is it slow?": figures alone, never whose recordings or what is said in them."""

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from jobs.admin.answer import answer
from jobs.admin.standing import standing


@never_cache
@require_GET
def slow(request: HttpRequest) -> HttpResponse:
    """For whoever may look at recordings in the administration; for others it is not there."""
    if not (request.user.is_staff and request.user.has_perm("jobs.view_job")):
        raise Http404
    now = standing()
    context = admin.site.each_context(request) | {"title": _("Why is it slow?"), "now": now, "answer": answer(now)}
    return render(request, "admin/jobs/slow.html", context)
