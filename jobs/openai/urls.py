from django.urls import path, re_path

from jobs.openai import views

urlpatterns = [
    path("models", views.models, name="openai-models"),
    path("models/<str:name>", views.model, name="openai-model"),
    re_path("", views.not_there),
]
