"""Cross-site requests: a browser adds its cookie to whatever a foreign page makes it send."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from omnigent.accounts.evidence import Evidence
from omnigent.accounts.host_guard import INTERNAL_ORIGIN
from omnigent.accounts.principal import Principal
from omnigent.accounts.rights import SAFE_METHODS, SOCKET
from omnigent.errors import ErrorCode, OmnigentError

TOKEN_HEADER = b"x-csrftoken"


def check_same_site(principal: Principal, method: str) -> None:
    """Raise when a cookie is all that speaks for a write or a socket.

    Every browser names the page it acts for in `Origin`, and foreign ones were refused at the door already.
    Programs that use the cookie send Django's token in `X-CSRFToken` instead; sockets have no such way.
    """
    evidence = principal.evidence
    if principal.via != "cookie" or method in SAFE_METHODS or evidence is None:
        return
    origins = evidence.values(b"origin")
    if origins and origins[0].decode("latin-1") != INTERNAL_ORIGIN:
        return
    if method == SOCKET or not has_csrf_token(evidence):
        raise OmnigentError(
            ErrorCode.FORBIDDEN, "A login cookie needs this server's Origin, or X-CSRFToken on a request"
        )


def has_csrf_token(evidence: Evidence) -> bool:
    """Whether the header holds the cookie's token; Django compares them."""
    request = HttpRequest()
    request.method = "POST"
    cookie = evidence.cookie(settings.CSRF_COOKIE_NAME)
    shown = evidence.values(TOKEN_HEADER)
    if cookie is None or len(shown) != 1:
        return False
    request.COOKIES[settings.CSRF_COOKIE_NAME] = cookie
    request.META["HTTP_X_CSRFTOKEN"] = shown[0].decode("latin-1")
    judge = CsrfViewMiddleware(passed)
    judge.process_request(request)
    return judge.process_view(request, passed, (), {}) is None


def passed(request: HttpRequest) -> HttpResponse:
    """Stands where Django expects a view."""
    return HttpResponse()
