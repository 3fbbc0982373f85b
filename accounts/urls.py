from django.urls import path

from accounts import views

urlpatterns = [
    path("sign-in/", views.sign_in, name="sign-in"),
    path("sign-in/link/<str:uid>/<str:token>/", views.sign_in_link, name="sign-in-link"),
    path("token/", views.island_token, name="island-token"),
    path("sign-out/", views.sign_out, name="sign-out"),
]
