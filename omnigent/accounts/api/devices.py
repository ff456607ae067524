"""POST /v1/device/code and /v1/device/token: how a program without a browser gets a token (RFC 8628)."""

from collections.abc import Mapping
from urllib.parse import urlencode

from django.conf import settings
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from omnigent.accounts.api import bodies, shapes
from omnigent.accounts.api.answers import answer, public_address
from omnigent.accounts.identity import is_single_user
from omnigent.accounts.services import devices
from omnigent.accounts.services.logins import address_of
from omnigent.api.schema.describing import describes
from omnigent.api.validation import parse
from omnigent.errors import ErrorCode, OmnigentError

PAGE = "/device"
WORDS: Mapping[devices.Refusal, str] = {
    "authorization_pending": "Nobody has decided about this login yet",
    "slow_down": "Ask less often: five seconds more between two requests",
    "expired_token": "The code is unknown, used or expired; begin again",
    "access_denied": "The login was refused",
}


class DeviceCode(APIView):
    """The beginning of a device login."""

    permission_classes = (AllowAny,)

    @describes(shapes.DeviceCodes, body=bodies.DeviceLogin, is_keyed=False, refuses=(429,))
    def post(self, request: Request) -> Response:
        """Codes: one to poll with, one for a person at `verification_uri`; 400 where none is needed."""
        require_logins()
        body = parse(bodies.DeviceLogin, request._request.body or b"{}")
        begun = devices.start(client_name=body.client_name, address=address_of(request._request))
        code = devices.shown(begun.user_code)
        page = public_address(request._request, PAGE)
        return answer(
            {
                "device_code": begun.device_code,
                "user_code": code,
                "verification_uri": page,
                "verification_uri_complete": f"{page}?{urlencode({'user_code': code})}",
                "expires_in": settings.OMNIGENT_DEVICE_CODE_SECONDS,
                "interval": begun.login.interval,
            }
        )


class DeviceToken(APIView):
    """Its end."""

    permission_classes = (AllowAny,)

    @describes({200: shapes.DeviceToken, 400: shapes.DeviceRefusal}, body=bodies.DevicePoll, is_keyed=False)
    def post(self, request: Request) -> Response:
        """The token, once; until then 400 with `error` as in RFC 8628, section 3.5."""
        require_logins()
        body = parse(bodies.DevicePoll, request._request.body)
        got = devices.collect(body.device_code)
        if isinstance(got, str):
            return refusal(got)
        return answer(
            {
                "access_token": got.secret,
                "token_type": "Bearer",
                "scope": devices.SCOPE.value,
                "expires_in": got.expires_in,
            }
        )


def require_logins() -> None:
    """Raise where everybody who gets through the door is the one local user."""
    if is_single_user():
        raise OmnigentError(ErrorCode.INVALID_INPUT, "No login is needed in single-user mode")


def refusal(word: devices.Refusal) -> Response:
    """OAuth's libraries look for a word in `error`, so the object of all other errors stands in `detail`."""
    words = WORDS[word]
    return answer(
        {"error": word, "error_description": words, "detail": {"code": word, "message": words}}, status=400
    )
