"""How the program's words for what went wrong at the provider become ours."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from omnigent.runner.harnesses import failures
from omnigent.runner.harnesses.base import ModelError

FINAL_STATUSES: Final = frozenset({401, 403})
"""The program repeats these for minutes, which no key gets better by."""

_KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "authentication_failed": "authentication_error",
        "invalid_request": "invalid_request_error",
        "model_not_found": "not_found_error",
        "overloaded": "overloaded_error",
        "rate_limit": "rate_limit_error",
    }
)
_PREFIX: Final = "API Error: "


def provider_error(text: str, *, kind: str = "", status: int | None = None) -> ModelError:
    """The program gave up on a request: its words, its name for the error, and the HTTP status it got."""
    detail = text.removeprefix(_PREFIX)
    error = {"type": _KINDS.get(kind, kind), "message": detail}
    if status is not None:
        failure = failures.refused(status, error, {})
    elif "JSON Parse error" in detail or "malformed response" in detail:
        failure = failures.unusable(detail, opened=True)
    else:
        failure = failures.broken_inside(error)
    return ModelError(failure.code, failure.message)


def silent(seconds: float, *, opened: bool) -> ModelError:
    """Nothing was heard for so long that nobody waits on."""
    failure = failures.silent(seconds, opened=opened)
    return ModelError(failure.code, failure.message)


def program_error(words: str, stderr: str) -> ModelError:
    """The program itself failed; `stderr` is the last of what it wrote there."""
    detail = f" It wrote: {stderr}" if stderr else ""
    return ModelError("harness_error", f"Claude Code {words}.{detail}")
