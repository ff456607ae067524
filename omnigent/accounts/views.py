"""Who the caller is, and how callers get to be somebody."""

from typing import Any

from django.conf import settings
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from omnigent.accounts.api import shapes
from omnigent.accounts.authentication import principal_of
from omnigent.accounts.identity import is_single_user
from omnigent.accounts.services.users import needs_setup
from omnigent.api.schema.describing import describes
from omnigent.version import VERSION


def login_url() -> str | None:
    """Where people log in; None where this server does not ask them to."""
    return settings.LOGIN_URL if settings.OMNIGENT_AUTH_MODE == "accounts" else None


def identity_facts() -> dict[str, Any]:
    """What `/v1/info` says of identity, for clients that have not logged in yet."""
    return {
        "accounts_enabled": settings.OMNIGENT_AUTH_MODE == "accounts",
        "single_user": is_single_user(),
        "auth_mode": settings.OMNIGENT_AUTH_MODE,
        "needs_setup": needs_setup(),
        "login_url": login_url(),
    }


class Me(APIView):
    """The caller. Without one the answer says where to log in."""

    permission_classes = (AllowAny,)

    @describes({200: shapes.MeShape, 401: shapes.NobodyShape})
    def get(self, request: Request) -> Response:
        """Who is calling."""
        principal = principal_of(request)
        if principal is None:
            return Response({"user_id": None, "login_url": login_url()}, status=401)
        return Response({"user_id": principal.user_id, "is_admin": principal.is_admin})


class Discovery(APIView):
    """`/.well-known/omnigent.json`: how a client that knows only the address finds the way in."""

    permission_classes = (AllowAny,)

    @describes(shapes.DiscoveryShape)
    def get(self, request: Request) -> Response:
        """Where to log in and where the API is."""
        return Response(
            {**identity_facts(), "server_version": VERSION, "api_base": "/v1", "info_url": "/v1/info"}
        )
