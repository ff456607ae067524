"""Who may call a view at all; what they may do to a session is decided by the services."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from omnigent.errors import ErrorCode, OmnigentError

if TYPE_CHECKING:
    # DRF loads its default permissions while this module of its own is still half imported.
    from rest_framework.views import APIView

READ, EDIT, MANAGE, OWNER = 1, 2, 3, 4
LEVEL_NAMES: Mapping[int, str] = MappingProxyType(
    {READ: "read", EDIT: "edit", MANAGE: "manage", OWNER: "owner"}
)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class IsPresent(BasePermission):
    """Anyone the door let in with a principal, a runner too of whom only the binding token is known."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return request.user is not None


class IsIdentified(IsPresent):
    """Anyone who is known by name."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return super().has_permission(request, view) and bool(getattr(request.user, "user_id", ""))


class IsAdminOrReadOnly(IsIdentified):
    """Everybody reads, administrators write."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not super().has_permission(request, view):
            return False
        return request.method in SAFE_METHODS or bool(getattr(request.user, "is_admin", False))


def level_too_low(user_id: str, needed: int, session_id: str) -> OmnigentError:
    return OmnigentError(
        ErrorCode.FORBIDDEN, f"'{user_id}' needs {LEVEL_NAMES[needed]} permission on session '{session_id}'"
    )
