"""Routes of identity."""

from django.urls import path

from omnigent.accounts import views
from omnigent.accounts.api import invitations, logins, tokens

urlpatterns = [
    path(".well-known/omnigent.json", views.Discovery.as_view(), name="discovery"),
    path("v1/me", views.Me.as_view(), name="me"),
    path("v1/login", logins.Login.as_view(), name="login"),
    path("v1/logout", logins.Logout.as_view(), name="logout"),
    path("v1/setup", logins.Setup.as_view(), name="setup"),
    path("v1/tokens", tokens.TokenCollection.as_view(), name="tokens"),
    path("v1/tokens/<str:token_id>", tokens.TokenResource.as_view(), name="token"),
    path("v1/invitations", invitations.InvitationCollection.as_view(), name="invitations"),
    path("v1/invitations/accept", invitations.InvitationAcceptance.as_view(), name="invitation-acceptance"),
    path("v1/invitations/<str:invitation_id>", invitations.InvitationResource.as_view(), name="invitation"),
]
