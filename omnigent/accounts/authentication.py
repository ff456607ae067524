"""DRF's view of the caller: the principal that the door established."""

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from omnigent.accounts.identity import Principal


def principal_of(request: HttpRequest | Request) -> Principal | None:
    """The caller of a Django or DRF request; None on the few paths that are open to everyone."""
    principal: Principal | None = getattr(request, "principal", None)
    return principal


class PrincipalAuthentication(BaseAuthentication):
    """`request.user` in a view is a `Principal`; no table is read."""

    def authenticate(self, request: Request) -> tuple[Principal, None] | None:
        # DRF's request passes unknown attributes on to Django's.
        principal = principal_of(request)
        return None if principal is None else (principal, None)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
