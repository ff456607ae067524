"""Refuses what a browser was tricked into sending: a foreign `Host` (DNS rebinding) or `Origin`."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from omnigent.errors import ErrorCode, OmnigentError

INTERNAL_ORIGIN = "omnigent://internal"
"""What the released clients, runners and hosts send; no web page can have it."""

DEFAULT_PORTS: Mapping[str, str] = {"http": "80", "https": "443"}


def check_host_and_origin(scope: Mapping[str, Any]) -> None:
    """Raise unless an HTTP or WebSocket scope names an allowed host and, if any, a permitted origin."""
    check_headers(scope["headers"])


def check_headers(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """The same for bare headers, names in lower case. A repeated header is refused: proxies and servers
    disagree on which one counts.
    """
    host: str | None = None
    origin: str | None = None
    for name, value in headers:
        if name == b"host":
            if host is not None:
                raise bad_host()
            host = value.decode("latin-1")
        elif name == b"origin":
            if origin is not None:
                raise foreign_origin()
            origin = value.decode("latin-1")
    if host is None or not is_allowed_host(host):
        raise bad_host()
    if origin is not None and not is_permitted_origin(origin, host):
        raise foreign_origin()


def bad_host() -> OmnigentError:
    return OmnigentError(ErrorCode.INVALID_INPUT, "Host not allowed")


def foreign_origin() -> OmnigentError:
    return OmnigentError(ErrorCode.FORBIDDEN, "Origin not allowed")


def is_allowed_host(host: str) -> bool:
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


def is_permitted_origin(origin: str, host: str) -> bool:
    return origin == INTERNAL_ORIGIN or origin in settings.TRUSTED_ORIGINS or is_own_origin(origin, host)


def is_own_origin(origin: str, host: str) -> bool:
    """Whether a page from `origin` was served under this `Host`. The scheme is left open: behind a TLS
    terminator the server itself only sees http.
    """
    try:
        parts = urlsplit(origin)
        default = DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        return False
    if origin != f"{parts.scheme}://{parts.netloc}":
        return False
    return with_port(parts.netloc, default) == with_port(host, default)


def with_port(host: str, default: str) -> tuple[str, str]:
    domain, port = split_domain_port(host)
    return domain, port or default
