"""Codex's failures in our words."""

import re
from collections.abc import Mapping
from typing import Any, Final

from omnigent.runner.harnesses.failures import (
    AttemptFailed,
    broken_inside,
    interrupted,
    refused,
    silent,
    unreachable,
)

_STATUS: Final = re.compile(r"\bstatus:? (?P<status>[45]\d\d)\b")
_IDLE: Final = "idle timeout"
_BROKEN_OFF: Final = "stream disconnected"
_BY_WORD: Final[Mapping[str, str]] = {
    "contextWindowExceeded": "context_length_exceeded",
    "sessionBudgetExceeded": "quota_exceeded",
    "usageLimitExceeded": "quota_exceeded",
    "rateLimitExceeded": "rate_limit_exceeded",
    "flexUnavailable": "server_error",
    "serverOverloaded": "server_error",
    "internalServerError": "server_error",
    "unauthorized": "authentication_error",
    "badRequest": "invalid_request_error",
    "modelNotFound": "model_not_found",
    "cyberPolicy": "invalid_prompt",
    "misalignmentPolicyViolation": "invalid_prompt",
}
_QUOTA: Final = "insufficient_quota"


def failure_of(error: Mapping[str, Any], *, silence_seconds: float, opened: bool) -> AttemptFailed:
    """What a failed turn's error means; `opened` tells that the answer had begun."""
    info, message = error.get("codexErrorInfo"), str(error.get("message") or "")
    details = f"{message} {error.get('additionalDetails') or ''}".strip()
    status = _status(info, details)
    if status is not None:
        return refused(status, {"message": details}, {})
    if isinstance(info, str) and info in _BY_WORD:
        word = _BY_WORD[info]
        return broken_inside({"code": _QUOTA if word == "quota_exceeded" else word, "message": message})
    if _IDLE in details:
        return silent(silence_seconds, opened=opened)
    if isinstance(info, Mapping) or details.startswith(_BROKEN_OFF):
        return interrupted(details) if opened else unreachable(details)
    return _worded(message)


def _status(info: object, details: str) -> int | None:
    """The HTTP status that the provider answered with, when it is known."""
    values = info.values() if isinstance(info, Mapping) else ()
    told = [value.get("httpStatusCode") for value in values if isinstance(value, Mapping)]
    if told and isinstance(told[0], int):
        return told[0]
    match = _STATUS.search(details)
    return int(match["status"]) if match else None


def _worded(message: str) -> AttemptFailed:
    """A failure without a word of Codex's: the body of a refused request, or else something of its own."""
    if message.startswith("{"):
        return refused(400, {"message": message}, {})
    return AttemptFailed("harness_error", message)
