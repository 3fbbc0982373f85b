from django.contrib.auth.decorators import login_not_required
from django.urls import path
from django.views.i18n import set_language

from transcribe.theme import views

urlpatterns = [
    path("brand.css", views.brand_sheet, name="brand-sheet"),
    path("brand/logo", views.brand_logo, name="brand-logo"),
    path("appearance/", views.appearance, name="appearance"),
    path("language/", login_not_required(set_language), name="set_language"),
]
