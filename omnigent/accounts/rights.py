"""What a kind of credential may be used for at all; what it may do to a session is decided by its grants."""

import re
from typing import NamedTuple

from omnigent.accounts.principal import Principal, Scope
from omnigent.errors import ErrorCode, OmnigentError

SOCKET = "WS"
"""Stands for the method of a WebSocket handshake."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
ANY = SAFE_METHODS | WRITES


class Opening(NamedTuple):
    """Methods and the whole paths that they are good for."""

    methods: frozenset[str]
    path: re.Pattern[str]


def opening(methods: frozenset[str], path: str) -> Opening:
    """A row of the tables below."""
    return Opening(methods, re.compile(path))


TUNNEL = frozenset({SOCKET})
POST = frozenset({"POST"})
READS = (opening(SAFE_METHODS, ".*"), opening(TUNNEL, "/v1/sessions/updates"))
OWN_ACCOUNT = (
    opening(ANY, "/v1/(logout|password|tokens)(/.*)?"),
    # The pages for the same; those for administrators ask again.
    opening(ANY, "/(account|device)(/.*)?"),
)
A_HOST = opening(SAFE_METHODS, "/v1/hosts(/[^/]+)?")
HOSTS = (
    opening(TUNNEL, "/v1/(hosts|runners)/[^/]+/tunnel"),
    opening(POST, "/v1/runners/[^/]+/token"),
    opening(SAFE_METHODS, "/v1/(me|runners)(/.*)?"),
    # Not what lies below one: its owner may look around on its disk, what runs there may not ask for that.
    A_HOST,
)
# Until its owner is known a runner may only become known.
UNPROVEN_RUNNER = (
    opening(TUNNEL, "/v1/runners/[^/]+/tunnel"),
    opening(POST, "/v1/runners/[^/]+/token"),
)
# What the runner contract has runners call; sessions are those bound to them.
RUNNERS = (
    *UNPROVEN_RUNNER,
    opening(SAFE_METHODS, "/v1/(agents|me|policies|policy-registry|runners|skills)(/.*)?"),
    A_HOST,
    opening(ANY, "/v1/(mcp|scheduled-tasks|sessions)(/.*)?"),
)


def check_rights(principal: Principal, method: str, path: str) -> None:
    """Raise unless the caller's credential is good for this method and path."""
    if any(method in row.methods and row.path.fullmatch(path) for row in openings(principal)):
        return
    if not principal.user_id:
        raise unauthorized()
    raise OmnigentError(ErrorCode.FORBIDDEN, refusal(principal))


def openings(principal: Principal) -> tuple[Opening, ...]:
    """What this credential opens."""
    if principal.kind == "runner":
        return RUNNERS if principal.user_id else UNPROVEN_RUNNER
    if Scope.WRITE in principal.scopes:
        return (EVERYWHERE,)
    return (
        *(READS if Scope.READ in principal.scopes else ()),
        *(HOSTS if Scope.HOST in principal.scopes else ()),
        *(OWN_ACCOUNT if principal.via != "token" or Scope.ADMIN in principal.scopes else ()),
    )


EVERYWHERE = opening(ANY | TUNNEL, ".*")


def refusal(principal: Principal) -> str:
    """The words for somebody whose credential does not reach."""
    if principal.kind == "runner":
        return "A runner may not do that"
    if principal.is_auditor:
        return "An auditor may only read"
    names = ", ".join(sorted(principal.scopes)) or "no known scope"
    return f"This token does not allow that; it allows: {names}"


def unauthorized() -> OmnigentError:
    """The one answer to callers who are not known, whatever they have shown."""
    return OmnigentError(
        ErrorCode.UNAUTHORIZED, "Authentication required", headers={"WWW-Authenticate": "Bearer"}
    )
