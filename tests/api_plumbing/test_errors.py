"""One error envelope for everything that can be raised."""

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404
from rest_framework import exceptions as drf

from omnigent.api.errors import error_body, too_large
from omnigent.errors import STATUS, ErrorCode, OmnigentError


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_code_has_its_status(code: ErrorCode) -> None:
    status, body, headers = error_body(OmnigentError(code, "why"))

    assert status == STATUS[code]
    assert body == {"error": {"code": code.value, "message": "why"}}
    assert headers == {}


@pytest.mark.parametrize(
    ("exc", "status", "code", "message"),
    [
        (Http404(), 404, "not_found", "Not found"),
        (drf.MethodNotAllowed("PUT"), 404, "not_found", "Not found"),
        (drf.NotAuthenticated(), 401, "unauthorized", "Authentication required"),
        (PermissionDenied("no"), 403, "forbidden", "no"),
        (drf.ParseError("odd"), 400, "invalid_input", "odd"),
        (SuspiciousOperation("internals"), 400, "invalid_input", "Bad request"),
        (RuntimeError("a secret"), 500, "internal_error", "An internal error occurred."),
        (KeyError("a secret"), 500, "internal_error", "An internal error occurred."),
    ],
)
def test_foreign_exceptions_are_translated(exc: Exception, status: int, code: str, message: str) -> None:
    assert error_body(exc)[:2] == (status, {"error": {"code": code, "message": message}})


@pytest.mark.parametrize("exc", [too_large(), RequestDataTooBig()])
def test_a_body_over_the_cap_is_400_with_a_string_detail(exc: Exception) -> None:
    status, body, _ = error_body(exc)

    assert status == 400
    assert body["detail"] == body["error"]["message"] == "Request body too large"


def test_an_unsupported_media_type_is_415_with_a_string_detail() -> None:
    status, body, _ = error_body(drf.UnsupportedMediaType("text/plain"))

    assert status == 415
    assert isinstance(body["detail"], str)


def test_detail_and_headers_are_carried() -> None:
    detail: Any = {"resolution": 1}
    exc = OmnigentError(ErrorCode.IDEMPOTENCY_IN_FLIGHT, "wait", detail=detail, headers={"Retry-After": "1"})

    assert error_body(exc) == (
        409,
        {"error": {"code": "idempotency_in_flight", "message": "wait"}, "detail": detail},
        {"Retry-After": "1"},
    )
