"""The ways a request to a model provider fails, in our own words: code, advice, and whether to repeat it."""

import sys
from collections.abc import Mapping
from typing import Final

AS_SET: Final = sys.maxsize
"""Worth as many repetitions as the settings allow."""

RETRIED_STATUSES: Final = frozenset({429, 500, 502, 503, 504, 529})
_RETRIED_CODES: Final = frozenset({"rate_limited", "provider_unavailable"})

_BY_STATUS: Final[Mapping[int, str]] = {
    401: "authentication_error",
    402: "quota_exceeded",
    403: "permission_denied",
    404: "not_found",
    413: "request_too_large",
    429: "rate_limited",
}
_BY_KIND: Final[Mapping[str, str]] = {
    "authentication_error": "authentication_error",
    "invalid_api_key": "authentication_error",
    "permission_error": "permission_denied",
    "billing_error": "quota_exceeded",
    "insufficient_quota": "quota_exceeded",
    "model_not_found": "not_found",
    "not_found_error": "not_found",
    "request_too_large": "request_too_large",
    "context_length_exceeded": "context_length_exceeded",
    "string_above_max_length": "context_length_exceeded",
    "rate_limit_error": "rate_limited",
    "rate_limit_exceeded": "rate_limited",
    "overloaded_error": "provider_unavailable",
    "api_error": "provider_unavailable",
    "server_error": "provider_unavailable",
    "timeout_error": "provider_unavailable",
    "invalid_request_error": "bad_request",
    "invalid_prompt": "bad_request",
}
_TOO_LONG: Final = ("prompt is too long", "maximum context length", "context window", "exceed context limit")
_ADVICE: Final[Mapping[str, str]] = {
    "authentication_error": "The model provider refused the API key. Check the runner's key.",
    "bad_request": "The model provider refused the request.",
    "context_length_exceeded": "The conversation is longer than the model's context window. Compact it.",
    "harness_error": "The model provider's client library failed.",
    "malformed_stream": "The model provider's answer could not be understood. Check the base URL.",
    "not_found": "The model provider does not know this. Check the model's name and the base URL.",
    "permission_denied": "The API key may not use this model.",
    "provider_unavailable": "The model provider is not available. Try again later.",
    "quota_exceeded": "The account at the model provider has no credit left.",
    "rate_limited": "The model provider limits the rate of requests. Wait, then try again.",
    "request_too_large": "The request is larger than the model provider accepts. Send smaller attachments.",
    "stream_interrupted": "The model provider's answer broke off. Send the message again to repeat it.",
}
_DETAIL_LIMIT: Final = 500


class AttemptFailed(Exception):
    """One attempt at a request failed.

    `retries` says how often repeating is worth it (0 never); `retry_after` is the provider's header as
    written, in seconds or as an HTTP date, or empty. `status` is that of an HTTP answer, 0 without one.
    """

    def __init__(
        self, code: str, detail: str = "", *, retries: int = 0, retry_after: str = "", status: int = 0
    ) -> None:
        advice = _ADVICE[code]
        super().__init__(f"{advice} ({detail[:_DETAIL_LIMIT]})" if detail else advice)
        self.code = code
        self.message = str(self)
        self.retries = retries
        self.retry_after = retry_after
        self.status = status

    def retries_among(self, statuses: frozenset[int] | None) -> int:
        """How often repeating is worth it to somebody who has only these HTTP statuses repeated."""
        if statuses is None or not self.status or self.code == "quota_exceeded":
            return self.retries
        if self.status not in statuses:
            return 0
        # What is not repeated although it usually is, the provider has asked not to repeat.
        return 0 if self.status in RETRIED_STATUSES and not self.retries else AS_SET


class MalformedEvent(ValueError):
    """A stream event lacks something it must have."""


def refused(status: int, error: object, headers: Mapping[str, str]) -> AttemptFailed:
    """The provider answered with an HTTP error status; `error` is the error object of its body."""
    default = "provider_unavailable" if status >= 500 else _BY_STATUS.get(status, "bad_request")
    code = _code_of(error, default)
    repeat = status in RETRIED_STATUSES and code != "quota_exceeded"
    if headers.get("x-should-retry") == "false":
        repeat = False
    # A refused key is sometimes repeated in the provider's words, which end up in the transcript.
    detail = f"HTTP {status}" if status == 401 else f"HTTP {status}: {_text(error, 'message')}".rstrip(": ")
    return AttemptFailed(
        code, detail, retries=AS_SET if repeat else 0, retry_after=_retry_after(headers), status=status
    )


def broken_inside(error: object) -> AttemptFailed:
    """The provider reported an error in the middle of a stream that began well."""
    code = _code_of(error, "provider_unavailable")
    return AttemptFailed(code, _text(error, "message"), retries=AS_SET if code in _RETRIED_CODES else 0)


def unreachable(detail: str) -> AttemptFailed:
    """No connection, or it was lost before the answer began."""
    return AttemptFailed("provider_unavailable", detail, retries=AS_SET)


def interrupted(detail: str) -> AttemptFailed:
    """The connection was lost, or the stream ended, before the terminal event."""
    return AttemptFailed("stream_interrupted", detail, retries=AS_SET)


def silent(seconds: float, *, opened: bool) -> AttemptFailed:
    """No byte came for the whole time limit. Repeated once only: every further wait is as long again."""
    code = "stream_interrupted" if opened else "provider_unavailable"
    return AttemptFailed(code, f"nothing received for {seconds:g} s", retries=1)


def unusable(detail: str, *, opened: bool) -> AttemptFailed:
    """The stream, or else the request itself, breaks the protocol; repeating it would end the same way."""
    return AttemptFailed("malformed_stream" if opened else "bad_request", detail)


def require_event_stream(headers: Mapping[str, str]) -> None:
    """Refuse a page or a plain JSON answer, which a wrong base URL produces with status 200."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in {"text/html", "application/json"}:
        raise MalformedEvent(f"the answer is {kind}, not an event stream")


def _code_of(error: object, default: str) -> str:
    known = (_BY_KIND[kind] for kind in (_text(error, "code"), _text(error, "type")) if kind in _BY_KIND)
    code = next(known, default)
    message = _text(error, "message").lower()
    if code == "bad_request" and any(words in message for words in _TOO_LONG):
        return "context_length_exceeded"
    return code


def _text(error: object, key: str) -> str:
    value = error.get(key) if isinstance(error, Mapping) else getattr(error, key, None)
    return value if isinstance(value, str) else ""


def _retry_after(headers: Mapping[str, str]) -> str:
    milliseconds = headers.get("retry-after-ms", "")
    if milliseconds.isdecimal():
        return f"{int(milliseconds) / 1000}"
    return headers.get("retry-after", "")
