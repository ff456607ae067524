"""Security headers of every answer that Django gives."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

GetResponse = Callable[[HttpRequest], HttpResponseBase]

FRAMED_PREFIX = "/c/"
DIRECTIVES = (
    "default-src 'self'",
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
)


class SecurityHeaders:
    """`X-Frame-Options` is never sent: it cannot name the IDE panels that frame the session page."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        framed = " ".join(settings.OMNIGENT_FRAME_ANCESTORS)
        self.framed_policy = "; ".join((*DIRECTIVES, f"frame-ancestors {framed}"))
        self.policy = "; ".join((*DIRECTIVES, "frame-ancestors 'none'"))

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        is_framed = request.path.startswith(FRAMED_PREFIX)
        response.headers.setdefault(
            "Content-Security-Policy", self.framed_policy if is_framed else self.policy
        )
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "same-origin")
        response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        return response
