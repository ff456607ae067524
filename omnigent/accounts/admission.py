"""The way in for every request and handshake: who it is, and whether such a caller may knock there at all."""

from collections.abc import Iterable, Sequence
from typing import Any

from omnigent.accounts.identity import identify
from omnigent.accounts.principal import Principal
from omnigent.accounts.public_paths import is_public
from omnigent.accounts.rights import SOCKET, check_rights, unauthorized
from omnigent.accounts.same_site import check_same_site
from omnigent.api.asgi import Scope


def admit(
    method: str,
    path: str,
    headers: Iterable[tuple[bytes, bytes]],
    client: Sequence[Any] | None,
    query: bytes = b"",
) -> Principal | None:
    """The caller, or None for somebody unknown on a path that is open to everyone.

    Raises 401 for unknown callers elsewhere and 403 for credentials that are not good for this.
    """
    principal = identify(headers, client, query if method == SOCKET else b"")
    if is_public(path):
        return principal if principal is not None and principal.user_id else None
    if principal is None:
        raise unauthorized()
    if principal.via != "machine":
        check_rights(principal, method, path)
    return principal


def admit_connection(scope: Scope) -> Principal | None:
    """The same for an ASGI scope that a consumer is going to answer; to be called on a database thread."""
    method = SOCKET if scope["type"] == "websocket" else scope["method"]
    headers, client = scope["headers"], scope.get("client")
    principal = admit(method, scope["path"], headers, client, scope["query_string"])
    if principal is not None:
        check_same_site(principal, method)
    return principal
