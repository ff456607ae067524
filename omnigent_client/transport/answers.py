"""From an HTTP answer to JSON, or to the error that it stands for."""

import json
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any

import httpx

from omnigent_client import errors
from omnigent_client.errors import ApiError, InvalidAnswerError

BY_CODE: Mapping[str, type[ApiError]] = MappingProxyType(
    {
        word: kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, ApiError)
        for word in kind.code_words
    }
)
"""The error class of each code that the server names."""

BY_STATUS: Mapping[int, type[ApiError]] = MappingProxyType(
    {
        400: errors.InvalidInputError,
        401: errors.UnauthorizedError,
        403: errors.ForbiddenError,
        404: errors.NotFoundError,
        409: errors.ConflictError,
        410: errors.GoneError,
        412: errors.HarnessNotConfiguredError,
        413: errors.PayloadTooLargeError,
        415: errors.UnsupportedMediaTypeError,
        422: errors.ValidationError,
        429: errors.RateLimitedError,
        502: errors.ServiceUnavailableError,
        503: errors.ServiceUnavailableError,
        504: errors.ServiceUnavailableError,
    }
)
"""The error class of an answer whose code says nothing more."""

SHOWN_CHARACTERS = 200


def json_of(response: httpx.Response) -> Any:  # any JSON value
    """The body of a good answer. Raises InvalidAnswerError when it is not JSON."""
    try:
        return response.json()
    except ValueError as error:
        raise InvalidAnswerError(
            f"{response.request.method} {response.request.url.path} answered with no JSON"
        ) from error


def error_of(response: httpx.Response) -> ApiError:
    """The error of an answer that is not a success; its body has been read."""
    body = _body(response)
    member = body.get("error") if isinstance(body, Mapping) else None
    envelope = member if isinstance(member, Mapping) else {}
    detail = body.get("detail") if isinstance(body, Mapping) else None
    code = str(envelope.get("code") or f"http_{response.status_code}")
    message = str(envelope.get("message") or _words_of(detail) or _plain_words(response))
    return _kind(code, response.status_code)(
        message,
        code=code,
        status=response.status_code,
        detail=detail,
        request_id=response.headers.get("x-request-id"),
        retry_after=retry_after(response),
        body=body,
    )


def _kind(code: str, status: int) -> type[ApiError]:
    by_status = BY_STATUS.get(status, errors.ServerError if status >= 500 else ApiError)
    by_code = BY_CODE.get(code, by_status)
    # A 422 whose code is the general one is about fields, and a 415 about the type.
    return by_status if by_code is errors.InvalidInputError and status != 400 else by_code


def _body(response: httpx.Response) -> Any:  # any JSON value
    try:
        return json.loads(response.content)
    except ValueError:
        return None


def _words_of(detail: Any) -> str:  # any JSON value
    if isinstance(detail, str):
        return detail
    if isinstance(detail, list):
        return "; ".join(_problem(entry) for entry in detail if isinstance(entry, Mapping))
    return ""


def _problem(entry: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in entry.get("loc") or ())
    return f"{place}: {entry.get('msg', 'is wrong')}"


def _plain_words(response: httpx.Response) -> str:
    is_text = response.headers.get("content-type", "").startswith("text/plain")
    shown = response.text[:SHOWN_CHARACTERS].strip() if is_text else ""
    return shown or response.reason_phrase or "the server gave no reason"


def retry_after(response: httpx.Response) -> float | None:
    """The seconds that an answer asks to wait, given as seconds or as a date."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except ValueError:
        return None
