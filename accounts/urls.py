from django.urls import path

from accounts import account, oidc_views, views

urlpatterns = [
    path("sign-in/", views.sign_in, name="sign-in"),
    path("sign-in/link/<str:uid>/<str:token>/", views.sign_in_link, name="sign-in-link"),
    path("account/", account.account, name="account"),
    path("account/tokens/<int:pk>/revoke/", account.revoke_token, name="revoke-token"),
    path("account/sessions/end-others/", account.end_other_sessions, name="end-other-sessions"),
    path("account/sessions/<str:name>/end/", account.end_session, name="end-session"),
    path("oidc/start/", oidc_views.start, name="sign-in-provider"),
    path("oidc/callback/", oidc_views.callback, name="oidc_authentication_callback"),
    path("oidc/backchannel-logout/", oidc_views.backchannel_logout, name="backchannel-logout"),
    path("token/", views.island_token, name="island-token"),
    path("sign-out/", views.sign_out, name="sign-out"),
]
