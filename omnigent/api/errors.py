"""From an exception to the one error answer: status, JSON body and headers."""

import logging
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404
from rest_framework import exceptions as drf
from rest_framework.response import Response

from omnigent.errors import ErrorCode, OmnigentError

logger = logging.getLogger(__name__)

ErrorAnswer = tuple[int, dict[str, Any], Mapping[str, str]]

INTERNAL_MESSAGE = "An internal error occurred."
NOT_FOUND_MESSAGE = "Not found"
TOO_LARGE_MESSAGE = "Request body too large"


def not_found() -> OmnigentError:
    """The answer to an unknown path; a wrong method gets the same, as in the released product."""
    return OmnigentError(ErrorCode.NOT_FOUND, NOT_FOUND_MESSAGE)


def too_large() -> OmnigentError:
    return OmnigentError(ErrorCode.INVALID_INPUT, TOO_LARGE_MESSAGE, detail=TOO_LARGE_MESSAGE)


def internal_error() -> OmnigentError:
    return OmnigentError(ErrorCode.INTERNAL_ERROR, INTERNAL_MESSAGE)


def as_omnigent_error(exc: BaseException) -> OmnigentError:
    """Translate what Django and DRF raise; anything unknown is an internal error and says nothing more."""
    match exc:
        case OmnigentError():
            return exc
        case Http404() | drf.NotFound() | drf.MethodNotAllowed():
            return not_found()
        case RequestDataTooBig():
            return too_large()
        case drf.NotAuthenticated() | drf.AuthenticationFailed():
            return OmnigentError(ErrorCode.UNAUTHORIZED, "Authentication required")
        case PermissionDenied() | drf.PermissionDenied():
            return OmnigentError(ErrorCode.FORBIDDEN, str(exc) or "Forbidden")
        case drf.UnsupportedMediaType():
            message = f"Unsupported content type: {exc.detail}"
            return OmnigentError(ErrorCode.INVALID_INPUT, message, status=415, detail=message)
        case drf.APIException():
            return OmnigentError(ErrorCode.INVALID_INPUT, str(exc.detail), status=exc.status_code)
        case SuspiciousOperation():
            return OmnigentError(ErrorCode.INVALID_INPUT, "Bad request")
        case _:
            return internal_error()


def error_body(exc: BaseException) -> ErrorAnswer:
    error = as_omnigent_error(exc)
    body: dict[str, Any] = {"error": {"code": error.code.value, "message": error.message}}
    if error.detail is not None:
        body["detail"] = error.detail
    return error.status, body, error.headers


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's hook. An unknown exception goes on to Django, which logs it and calls the 500 handler."""
    error = as_omnigent_error(exc)
    if error.code is ErrorCode.INTERNAL_ERROR and not isinstance(exc, OmnigentError):
        return None
    if error.status >= 500:
        logger.warning("request_failed", extra={"code": error.code.value, "status": error.status})
    status, body, headers = error_body(error)
    return Response(body, status=status, headers=dict(headers))
