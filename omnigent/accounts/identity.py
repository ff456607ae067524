"""Who is calling: one function for HTTP requests and WebSocket handshakes."""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import runner_id_for

LOCAL_USER = "local"
RUNNER_TOKEN_HEADER = b"x-omnigent-runner-tunnel-token"
FORWARDING_HEADERS = frozenset(
    {b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip"}
)
FORWARDING_PREFIX = b"x-forwarded-"


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """The caller of a request. A runner acts for its owner, and only on sessions bound to `runner_id`."""

    user_id: str
    is_admin: bool
    kind: Literal["user", "runner", "host"] = "user"
    runner_id: str | None = None

    @property
    def is_authenticated(self) -> bool:
        """What Django and DRF ask of a user."""
        return True


def identify(headers: Iterable[tuple[bytes, bytes]], client: Sequence[Any] | None) -> Principal:
    """The principal behind a request with these headers (names in lower case) and this peer address.

    In single-user mode the machine is the identity: whoever connects over loopback is the one user.
    A request that was forwarded only looks local, so it is refused, as is any other peer.
    """
    token: bytes | None = None
    for name, value in headers:
        if name in FORWARDING_HEADERS or name.startswith(FORWARDING_PREFIX):
            raise OmnigentError(
                ErrorCode.FORBIDDEN, "Requests through a proxy are refused in single-user mode"
            )
        if name == RUNNER_TOKEN_HEADER and token is None:
            token = value
    if client is None or not is_loopback(client[0]):
        raise OmnigentError(ErrorCode.FORBIDDEN, "Only local connections are accepted in single-user mode")
    if token:
        runner_id = runner_id_for(token.decode("latin-1"))
        return Principal(user_id=LOCAL_USER, is_admin=False, kind="runner", runner_id=runner_id)
    return Principal(user_id=LOCAL_USER, is_admin=True)


def is_loopback(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)
