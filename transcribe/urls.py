from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.generic import RedirectView

from transcribe import api

urlpatterns = [
    # One door for passwords: the administration's own form knows neither the throttle nor LOCAL_LOGIN.
    path("admin/login/", login_not_required(RedirectView.as_view(pattern_name="sign-in", query_string=True))),
    path("admin/", admin.site.urls),
    path("api/", include(api.urlpatterns)),
    path("", include("transcribe.theme.urls")),
    path("", include("accounts.urls")),
    path("", include("jobs.urls")),
]
handler500 = "transcribe.api.server_error"
