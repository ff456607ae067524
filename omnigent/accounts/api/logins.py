"""POST /v1/login, /v1/logout and /v1/setup: how a browser gets its login and gives it back."""

from django.contrib.auth import logout
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from omnigent.accounts.api import bodies, shapes
from omnigent.accounts.api.answers import answer, require_accounts, user_row
from omnigent.accounts.services import invitations, logins
from omnigent.api.schema.describing import describes
from omnigent.api.validation import parse


class Login(APIView):
    """A name and a password for a cookie."""

    permission_classes = (AllowAny,)

    @describes(shapes.LoginShape, body=bodies.Login, is_keyed=False, refuses=(401, 404, 429))
    def post(self, request: Request) -> Response:
        """401 in one form for an unknown name and a wrong password; 429 after too many."""
        require_accounts()
        body = parse(bodies.Login, request._request.body)
        user = logins.log_in(request._request, username=body.username, password=body.password)
        return answer(user_row(user))


class Logout(APIView):
    """The end of a login."""

    permission_classes = (AllowAny,)

    @describes({204: None}, is_keyed=False, refuses=(404,))
    def post(self, request: Request) -> Response:
        """204, logged in or not."""
        require_accounts()
        logout(request._request)
        return Response(status=204)


class Setup(APIView):
    """The first administrator."""

    permission_classes = (AllowAny,)

    @describes({201: shapes.LoginShape}, body=bodies.NewAccount, is_keyed=False, refuses=(401, 404, 409, 429))
    def post(self, request: Request) -> Response:
        """Takes the token that the server printed at its start; 409 once anybody exists."""
        require_accounts()
        body = parse(bodies.NewAccount, request._request.body)
        user = invitations.set_up(token=body.token, username=body.username, password=body.password)
        logins.begin(request._request, user)
        return answer(user_row(user), 201)
