"""The overview on the administration's index, for those who may see recordings there."""

from typing import Any

from django import template

from jobs.admin.overview import overview

register = template.Library()


@register.inclusion_tag("admin/jobs/overview.html", takes_context=True)
def operators_overview(context: dict[str, Any]) -> dict[str, Any]:
    return {"overview": overview() if context["request"].user.has_perm("jobs.view_job") else None}
