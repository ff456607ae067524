"""Passwords: one place where they are tried, for the API, the pages and the admin site."""

from collections.abc import Mapping

from django.conf import settings
from django.contrib.auth import authenticate, login
from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils import timezone

from omnigent.accounts.evidence import Evidence, evidence_of
from omnigent.accounts.models import LoginSession, User
from omnigent.accounts.principal import RESERVED_NAMES
from omnigent.accounts.proxies import origin_address
from omnigent.accounts.services import throttle
from omnigent.errors import ErrorCode, OmnigentError

WRONG = "Wrong username or password"
MAX_PASSWORD = 1024


class PasswordBackend(ModelBackend):
    """Django's backend behind the throttle; where there are no accounts no password is right."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: object,
    ) -> User | None:
        if settings.OMNIGENT_AUTH_MODE != "accounts" or not username or password is None:
            return None
        if len(password) > MAX_PASSWORD or username in RESERVED_NAMES:
            return None
        counters = throttle.counters(username=username, address=address_of(request))
        try:
            throttle.count(counters)
        except OmnigentError:
            if request is not None:
                request.is_throttled = True  # type: ignore[attr-defined]  # read by `log_in` after Django's loop
            raise PermissionDenied from None
        user = super().authenticate(request, username=username, password=password)
        if user is None:
            return None
        throttle.forgive(counters)
        assert isinstance(user, User)
        return user


def log_in(request: HttpRequest, *, username: str, password: str) -> User:
    """Begin a browser's login. Raises 401, in the same words and time whatever was wrong, and 429."""
    user = authenticate(request, username=username, password=password)
    if user is None:
        if getattr(request, "is_throttled", False):
            raise throttle.too_many()
        raise OmnigentError(ErrorCode.UNAUTHORIZED, WRONG)
    assert isinstance(user, User)
    begin(request, user)
    return user


def begin(request: HttpRequest, user: User) -> None:
    """Give the browser a login of a person who has just proved who they are; what has expired is cleared."""
    LoginSession.objects.filter(expire_date__lte=timezone.now()).delete()
    login(request, user, backend=BACKEND)


BACKEND = f"{PasswordBackend.__module__}.{PasswordBackend.__qualname__}"


def address_of(request: HttpRequest | None) -> str:
    """Where a login comes from, for counting."""
    if request is None:
        return "unknown"
    return origin_address(evidence_from(request.META))


def evidence_from(meta: Mapping[str, str]) -> Evidence:
    """The address part of what a request shows."""
    forwarded = meta.get("HTTP_X_FORWARDED_FOR", "")
    headers = [(b"x-forwarded-for", forwarded.encode("latin-1"))] if forwarded else []
    return evidence_of(headers, (meta.get("REMOTE_ADDR"), 0))
