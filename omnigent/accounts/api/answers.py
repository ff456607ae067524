"""What the routes of identity answer: bodies as bytes in, JSON that no cache keeps out."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.response import Response

from omnigent.accounts.authentication import principal_of
from omnigent.accounts.models import AccessToken, Invitation, User
from omnigent.accounts.principal import Principal
from omnigent.accounts.rights import unauthorized
from omnigent.api.errors import not_found

NO_STORE = {"Cache-Control": "no-store"}


def answer(body: object, status: int = 200) -> Response:
    """JSON with a secret in it, or about one."""
    return Response(body, status=status, headers=NO_STORE)


def caller(request: Request) -> Principal:
    """Who asks. Raises 401 for nobody."""
    principal = principal_of(request)
    if principal is None:
        raise unauthorized()
    return principal


def require_accounts() -> None:
    """Raise 404 where people do not log in here."""
    if settings.OMNIGENT_AUTH_MODE != "accounts":
        raise not_found()


def epoch(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def token_row(token: AccessToken) -> dict[str, Any]:
    """A token as its owner sees it; never its secret."""
    return {
        "id": token.public_id,
        "object": "access_token",
        "name": token.name,
        "scopes": token.scopes,
        "created_at": epoch(token.created_at),
        "last_used_at": epoch(token.last_used_at),
        "expires_at": epoch(token.expires_at),
    }


def invitation_row(invitation: Invitation) -> dict[str, Any]:
    """An invitation as administrators see it; never its secret."""
    return {
        "id": invitation.public_id,
        "object": "invitation",
        "is_admin": invitation.is_admin,
        "is_auditor": invitation.is_auditor,
        "created_at": epoch(invitation.created_at),
        "expires_at": epoch(invitation.expires_at),
    }


def person_row(user: User) -> dict[str, Any]:
    """A person as administrators see them."""
    return {
        "id": user.username,
        "object": "user",
        "email": user.email,
        "is_active": user.is_active,
        "is_staff": user.is_staff,
        "is_auditor": user.is_auditor,
        "has_password": user.has_usable_password(),
        "created_at": epoch(user.date_joined),
        "last_login_at": epoch(user.last_login),
    }


def public_address(request: HttpRequest, path: str) -> str:
    """A link to one of our pages, under the name by which people reach this server."""
    base = settings.OMNIGENT_ACCOUNTS_BASE_URL or request.build_absolute_uri("/")
    return f"{base.rstrip('/')}{path}"


def user_row(user: User) -> dict[str, Any]:
    """Whoever has just logged in."""
    return {
        "user_id": user.username,
        "is_admin": user.is_staff,
        "expires_in": settings.SESSION_COOKIE_AGE,
    }


def whole_list(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A list that is short by construction, in the envelope of all lists."""
    ids = [row["id"] for row in rows]
    return {
        "object": "list",
        "data": rows,
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
        "has_more": False,
    }
