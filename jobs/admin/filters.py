"""Filters of the lists: small sets as links, people by name, because there may be as many people as rows."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from jobs import words
from jobs.models import Checkpoint, Run


class RunFilter(admin.SimpleListFilter):
    """By one column of the run; `through` leads from the listed row to it."""

    column = ""
    through = "current_run__"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset if self.value() is None else queryset.filter(**{self.through + self.column: self.value()})

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        raise NotImplementedError


class StateFilter(RunFilter):
    title, parameter_name, column = _("state"), "state", "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(str(state), word) for state, word in words.STATES.items()]


class ModelFilter(RunFilter):
    title, parameter_name, column = _("model"), "model", "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Those that were ever loaded, and the one of the settings."""
        names = {settings.MODEL_NAME, *Checkpoint.objects.values_list("name", flat=True)}
        return [(name, name) for name in sorted(names)]


class LanguageFilter(RunFilter):
    title, parameter_name, column = _("language"), "language", "language"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        codes = Run.objects.exclude(language="").order_by("language").values_list("language", flat=True).distinct()
        return [(code, words.language(code)) for code in codes]


class OwnerFilter(admin.SimpleListFilter):
    """A field for the user name, exactly as it is."""

    title, parameter_name = _("owner"), "owner"
    template = "admin/jobs/owner_filter.html"
    column = "owner__username"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return []

    def has_output(self) -> bool:
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.column: self.value()}) if self.value() else queryset

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """For the template: the other parameters, which its form hands on, and the way back to all."""
        others = changelist.get_filters_params()
        others.pop("owner", None)
        yield {
            "others": [(name, value) for name, values in others.items() for value in values],
            "query": changelist.query,
            "all": changelist.get_query_string(remove=["owner"]),
            "value": self.value() or "",
        }


class DateFilter(admin.DateFieldListFilter):
    """By "date", whatever the column is called."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = _("date")


class StateOfRun(StateFilter):
    through = ""


class ModelOfRun(ModelFilter):
    through = ""


class LanguageOfRun(LanguageFilter):
    through = ""


class OwnerOfRun(OwnerFilter):
    column = "job__owner__username"
