"""Ours, and the bare view."""

from django.urls import path

from benchmarks._bare import bare
from transcribe.urls import handler500, urlpatterns

__all__ = ["handler500", "urlpatterns"]
urlpatterns = [path("bare", bare), *urlpatterns]
