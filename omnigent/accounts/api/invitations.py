"""/v1/invitations: how administrators let people in, and how these accept."""

from datetime import timedelta

from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from omnigent.accounts.api import bodies, shapes
from omnigent.accounts.api.answers import (
    answer,
    caller,
    invitation_row,
    public_address,
    require_accounts,
    user_row,
    whole_list,
)
from omnigent.accounts.principal import Principal
from omnigent.accounts.services import invitations, logins
from omnigent.api.schema.describing import describes
from omnigent.api.validation import parse
from omnigent.errors import ErrorCode, OmnigentError

SHOWN = 1000


def administrator(request: Request) -> Principal:
    """The caller. Raises 403 for anybody but an administrator."""
    require_accounts()
    principal = caller(request)
    if not principal.is_admin:
        raise OmnigentError(ErrorCode.FORBIDDEN, "Only administrators manage invitations")
    return principal


class InvitationCollection(APIView):
    """Invitations that nobody has accepted yet."""

    @describes(shapes.InvitationList, refuses=(404,))
    def get(self, request: Request) -> Response:
        """The newest first; never a secret."""
        administrator(request)
        rows = invitations.open_ones()[:SHOWN]
        return answer(whole_list([invitation_row(row) for row in rows]))

    @describes({201: shapes.NewInvitationShape}, body=bodies.NewInvitation, is_keyed=False, refuses=(404,))
    def post(self, request: Request) -> Response:
        """A new one; `token` and `url` in the answer are shown this once."""
        principal = administrator(request)
        body = parse(bodies.NewInvitation, request._request.body)
        made = invitations.invite(
            principal=principal,
            is_admin=body.is_admin,
            is_auditor=body.is_auditor,
            lifetime=None if body.expires_in is None else timedelta(seconds=body.expires_in),
        )
        link = public_address(request._request, f"/invite/{made.secret}")
        return answer({**invitation_row(made.invitation), "token": made.secret, "url": link}, 201)


class InvitationResource(APIView):
    """One of them."""

    @describes(shapes.DeletedInvitation, is_keyed=False)
    def delete(self, request: Request, invitation_id: str) -> Response:
        """Withdraw it."""
        administrator(request)
        invitations.withdraw(invitation_id)
        return answer({"id": invitation_id, "object": "invitation.deleted", "deleted": True})


class InvitationAcceptance(APIView):
    """What an invited person does with it."""

    permission_classes = (AllowAny,)

    @describes({201: shapes.LoginShape}, body=bodies.NewAccount, is_keyed=False, refuses=(401, 404, 409, 429))
    def post(self, request: Request) -> Response:
        """Choose a name and a password, once; answers as a login does."""
        require_accounts()
        body = parse(bodies.NewAccount, request._request.body)
        user = invitations.accept(token=body.token, username=body.username, password=body.password)
        logins.begin(request._request, user)
        return answer(user_row(user), 201)
