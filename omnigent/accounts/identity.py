"""Who is calling: one function for HTTP requests and WebSocket handshakes, in every mode."""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from django.conf import settings

from omnigent.accounts import bearers, proxies
from omnigent.accounts.evidence import Evidence, evidence_of
from omnigent.accounts.login_sessions import login_of
from omnigent.accounts.principal import EVERYTHING, LOCAL_USER, Principal, Scope
from omnigent.accounts.standing import standing_of
from omnigent.errors import ErrorCode, OmnigentError

__all__ = ["LOCAL_USER", "Principal", "identify", "is_loopback", "is_single_user", "recognise"]

FORWARDING_HEADERS = frozenset(
    {b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip"}
)
FORWARDING_PREFIX = b"x-forwarded-"
MAY_RUN = frozenset({Scope.WRITE, Scope.HOST})


def is_single_user() -> bool:
    """Whether everybody who gets through the door is the one local user."""
    return bool(settings.OMNIGENT_AUTH_MODE == "single-user")


def identify(
    headers: Iterable[tuple[bytes, bytes]], client: Sequence[Any] | None, query: bytes = b""
) -> Principal | None:
    """The principal behind a request with these headers (names in lower case) and this peer address.

    None is somebody unknown, whatever was shown. Outside single-user mode this takes one statement.
    `query` is given for handshakes only.
    """
    evidence = evidence_of(headers, client, query)
    return _local(evidence) if is_single_user() else _remote(evidence)


def recognise(principal: Principal) -> Principal | None:
    """The same caller as of now, after tokens and accounts may have changed; None if it is let in no more."""
    if principal.evidence is None:
        return principal
    now = _remote(principal.evidence)
    is_same = now is not None and (now.user_id, now.kind) == (principal.user_id, principal.kind)
    return now if is_same else None


def _local(evidence: Evidence) -> Principal:
    """In single-user mode the machine is the identity: whoever connects over loopback is the one user.

    A request that was forwarded only looks local, so it is refused, as is any other peer.
    """
    for name, _ in evidence.headers:
        if name in FORWARDING_HEADERS or name.startswith(FORWARDING_PREFIX):
            raise OmnigentError(
                ErrorCode.FORBIDDEN, "Requests through a proxy are refused in single-user mode"
            )
    if evidence.peer is None or not is_loopback(evidence.peer):
        raise OmnigentError(ErrorCode.FORBIDDEN, "Only local connections are accepted in single-user mode")
    if runner_id := evidence.runner_id:
        return Principal(user_id=LOCAL_USER, is_admin=False, kind="runner", runner_id=runner_id)
    return Principal(user_id=LOCAL_USER, is_admin=True)


def _remote(evidence: Evidence) -> Principal | None:
    owner = _owner(evidence)
    runner_id = evidence.runner_id
    found = owner if runner_id is None else _as_runner(owner, runner_id)
    return None if found is None else replace(found, evidence=evidence)


def _owner(evidence: Evidence) -> Principal | None:
    """A bearer speaks for itself: whoever shows one means it, whatever else the browser or proxy adds."""
    by_proxy = settings.OMNIGENT_AUTH_MODE == "header"
    bearer = evidence.bearer
    if bearer is not None and (bearers.is_ours(bearer) or not by_proxy):
        return bearers.holder_of(bearer)
    return _forwarded(evidence) if by_proxy else login_of(evidence)


def _forwarded(evidence: Evidence) -> Principal | None:
    username = proxies.named_user(evidence)
    found = None if username is None else standing_of(username)
    if username is None or found is None:
        return None
    return Principal(
        user_id=username,
        is_admin=found.is_admin,
        is_auditor=found.is_auditor,
        scopes=found.scopes(EVERYTHING),
        via="header",
    )


def _as_runner(owner: Principal | None, runner_id: str) -> Principal | None:
    """Whoever shows a binding token is that runner and nothing more, also with the owner's credential."""
    if owner is None:
        return Principal(
            user_id="", is_admin=False, kind="runner", runner_id=runner_id, scopes=frozenset(), via="runner"
        )
    if owner.kind == "runner":
        return owner if owner.runner_id == runner_id else None
    if not owner.scopes & MAY_RUN:
        return None
    return replace(owner, kind="runner", runner_id=runner_id, is_admin=False, scopes=bearers.RUNNER_SCOPES)


def is_loopback(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)
