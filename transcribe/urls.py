from django.contrib import admin
from django.urls import include, path

from accounts.views import administration_sign_in
from jobs.admin.slow import slow
from transcribe import api

urlpatterns = [
    # One door for passwords: the administration's own form knows neither the throttle nor LOCAL_LOGIN.
    path("admin/login/", administration_sign_in),
    path("admin/slow/", slow, name="slow"),
    path("admin/", admin.site.urls),
    path("api/", include(api.urlpatterns)),
    path("v1/", include("jobs.openai.urls")),
    path("", include("transcribe.theme.urls")),
    path("", include("accounts.urls")),
    path("", include("jobs.urls")),
]
handler500 = "transcribe.api.server_error"
