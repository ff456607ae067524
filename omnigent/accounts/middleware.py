"""Django's side of the door: `request.principal`, cross-site checks, and who the admin site sees."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect

from omnigent.accounts import admission
from omnigent.accounts.gate import is_open
from omnigent.accounts.host_guard import check_headers
from omnigent.accounts.models import User
from omnigent.accounts.principal import Principal
from omnigent.accounts.rights import SAFE_METHODS
from omnigent.accounts.same_site import check_same_site
from omnigent.accounts.services.users import row_of
from omnigent.api.renderer import json_error
from omnigent.api.views import is_api
from omnigent.errors import ErrorCode, OmnigentError

GetResponse = Callable[[HttpRequest], HttpResponseBase]
ADMIN_PREFIX = "/admin"
ADMIN_LOGIN = "/admin/login/"


class Admission:
    """Sets `request.principal`. Requests whose caller the gate knows bring it along; of others it is found
    here, in the one hop. Those that came by no gate (Django's test client, another server) are checked as it
    would.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            request.principal = admit(request)  # type: ignore[attr-defined]  # ours, for the views
        except OmnigentError as exc:
            return turned_away(request, exc)
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        """Views that Django's own check passes over: a login cookie alone does not write there either."""
        principal: Principal | None = getattr(request, "principal", None)
        if principal is not None and getattr(view, "csrf_exempt", False):
            try:
                check_same_site(principal, request.method or "")
            except OmnigentError as exc:
                return json_error(exc)
        return None


class AdminSiteUser:
    """On the admin's pages the user is whom the door let in, and nobody else: a cookie from another mode, or
    a token that is meant for programs, opens nothing.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith(ADMIN_PREFIX):
            request.user = site_user(getattr(request, "principal", None))
        return self.get_response(request)


def site_user(principal: Principal | None) -> User | AnonymousUser:
    """The row behind the admin's pages. Rights that come from a setting are never stored with it.

    Where people log in, the row itself says whether a member of the staff sees everything, or what the
    permissions of that row allow.
    """
    if principal is None or not principal.is_admin or principal.via in ("token", "runner"):
        return AnonymousUser()
    user = row_of(principal)
    user.is_staff = True
    is_named = user.username.lower() in settings.OMNIGENT_ADMINS
    user.is_superuser = user.is_superuser or is_named or settings.OMNIGENT_AUTH_MODE != "accounts"
    return user


def admit(request: HttpRequest) -> Principal | None:
    scope = getattr(request, "scope", None)
    if scope is None:
        return admit_unguarded(request)
    if "principal" not in scope:
        scope["principal"] = admission.admit(
            scope["method"], scope["path"], scope["headers"], scope.get("client")
        )
    principal: Principal | None = scope["principal"]
    return principal


def admit_unguarded(request: HttpRequest) -> Principal | None:
    headers = list(raw_headers(request))
    check_headers(headers)
    if is_open(request.path, request.META.get("QUERY_STRING", "").encode("latin-1")):
        return None
    peer = request.META.get("REMOTE_ADDR")
    return admission.admit(request.method or "", request.path, headers, (peer, 0) if peer else None)


def turned_away(request: HttpRequest, exc: OmnigentError) -> HttpResponseBase:
    """Programs get the error; a person who opens a page is led to the login."""
    is_page = request.method in SAFE_METHODS and not is_api(request.path)
    if exc.code is not ErrorCode.UNAUTHORIZED or not is_page or settings.OMNIGENT_AUTH_MODE != "accounts":
        return json_error(exc)
    door = ADMIN_LOGIN if request.path.startswith(ADMIN_PREFIX) else settings.LOGIN_URL
    return HttpResponseRedirect(f"{door}?{urlencode({'next': request.get_full_path()})}")


def raw_headers(request: HttpRequest) -> Iterator[tuple[bytes, bytes]]:
    if "host" not in request.headers:
        # The test client puts its host where a WSGI server puts its own name.
        yield b"host", str(request.META.get("SERVER_NAME", "")).encode("latin-1")
    for name, value in request.headers.items():
        yield name.lower().encode("latin-1"), str(value).encode("latin-1")
