"""Where browsers go to another service and come back."""

from django.urls import path

from omnigent.accounts.oidc import views

urlpatterns = [
    path("login", views.login, name="oidc-login"),
    path("callback", views.callback, name="oidc-callback"),
]
