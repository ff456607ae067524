"""Routes of identity."""

from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path

from omnigent.accounts import views
from omnigent.accounts.api import devices, invitations, logins, people, tokens
from omnigent.accounts.pages import account, device, entering
from omnigent.accounts.pages import people as people_pages

urlpatterns: list[URLPattern | URLResolver] = [
    path("login", entering.login, name="login-page"),
    path("logout", entering.logout, name="logout-page"),
    path("setup", entering.setup, name="setup-page"),
    path("invite/<str:token>", entering.invite, name="invite-page"),
    path("device", device.device, name="device"),
    path("account", account.account, name="account"),
    path("account/password", account.change_password, name="account-password"),
    path("account/tokens", account.create_token, name="account-tokens"),
    path("account/tokens/<str:token_id>/revoke", account.revoke_token, name="account-token-revoke"),
    path("account/devices/<str:device_login_id>/withdraw", account.withdraw_device, name="account-device"),
    path("account/people", people_pages.everybody, name="people"),
    path("account/people/<str:user_id>/change", people_pages.change, name="person-change"),
    path("account/invitations", people_pages.invite, name="people-invite"),
    path("account/invitations/<str:invitation_id>/withdraw", people_pages.withdraw, name="people-withdraw"),
    path(".well-known/omnigent.json", views.Discovery.as_view(), name="discovery"),
    path("v1/me", views.Me.as_view(), name="me"),
    path("v1/login", logins.Login.as_view(), name="login"),
    path("v1/logout", logins.Logout.as_view(), name="logout"),
    path("v1/setup", logins.Setup.as_view(), name="setup"),
    path("v1/password", people.Password.as_view(), name="password"),
    path("v1/users", people.UserCollection.as_view(), name="users"),
    path("v1/users/<str:user_id>", people.UserResource.as_view(), name="user"),
    path("v1/device/code", devices.DeviceCode.as_view(), name="device-code"),
    path("v1/device/token", devices.DeviceToken.as_view(), name="device-token"),
    path("v1/tokens", tokens.TokenCollection.as_view(), name="tokens"),
    path("v1/tokens/<str:token_id>", tokens.TokenResource.as_view(), name="token"),
    path("v1/invitations", invitations.InvitationCollection.as_view(), name="invitations"),
    path("v1/invitations/accept", invitations.InvitationAcceptance.as_view(), name="invitation-acceptance"),
    path("v1/invitations/<str:invitation_id>", invitations.InvitationResource.as_view(), name="invitation"),
]
if settings.OMNIGENT_OIDC_ISSUER:
    urlpatterns.append(path("oidc/", include("omnigent.accounts.oidc.urls")))
