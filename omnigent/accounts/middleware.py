"""Django's side of the door: `request.principal`, and the local user in the admin."""

from collections.abc import Callable, Iterator

from django.http import HttpRequest, HttpResponseBase

from omnigent.accounts.gate import is_open
from omnigent.accounts.host_guard import check_headers
from omnigent.accounts.identity import Principal, identify
from omnigent.accounts.services import local_administrator
from omnigent.api.renderer import json_error
from omnigent.errors import OmnigentError

GetResponse = Callable[[HttpRequest], HttpResponseBase]
ADMIN_PREFIX = "/admin"


class Admission:
    """Sets `request.principal`. Requests that came through the gate bring it along; others (Django's test
    client, another WSGI or ASGI server) are checked here by the same functions.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            request.principal = admit(request)  # type: ignore[attr-defined]
        except OmnigentError as exc:
            return json_error(exc)
        return self.get_response(request)


class LocalAdministrator:
    """In single-user mode the caller is the operator: the admin opens without a login form."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        principal: Principal | None = getattr(request, "principal", None)
        if request.path.startswith(ADMIN_PREFIX) and principal is not None and principal.is_admin:
            request.user = local_administrator(username=principal.user_id)
        return self.get_response(request)


def admit(request: HttpRequest) -> Principal | None:
    scope = getattr(request, "scope", None)
    if scope is not None and "principal" in scope:
        principal: Principal | None = scope["principal"]
        return principal
    headers = list(raw_headers(request))
    check_headers(headers)
    if is_open(request.path):
        return None
    peer = request.META.get("REMOTE_ADDR")
    return identify(headers, (peer, 0) if peer else None)


def raw_headers(request: HttpRequest) -> Iterator[tuple[bytes, bytes]]:
    if "host" not in request.headers:
        # The test client puts its host where a WSGI server puts its own name.
        yield b"host", str(request.META.get("SERVER_NAME", "")).encode("latin-1")
    for name, value in request.headers.items():
        yield name.lower().encode("latin-1"), str(value).encode("latin-1")
