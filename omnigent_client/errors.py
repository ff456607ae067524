"""Everything that this package raises on purpose. `OmnigentError` is the root of all of it."""

from collections.abc import Mapping
from typing import Any, ClassVar


class OmnigentError(Exception):
    """Root of the package's errors."""


class ClientClosedError(OmnigentError):
    """The client was closed, before or during the call, or cannot be called from where it was."""


class ConnectionFailedError(OmnigentError):
    """No answer came: the server cannot be reached, or the connection broke more often than retries allow."""


class InvalidAnswerError(OmnigentError):
    """The server answered with something that is not what its API promises."""


class ApiError(OmnigentError):
    """The server refused or failed. `code` is the machine's word, `message` is for people.

    `detail` is the answer's own `detail` (a list of problems, a text, or None), `request_id` its
    `X-Request-Id` if it carried one, `retry_after` the seconds of its `Retry-After`, `body` the whole
    decoded answer.
    """

    code_words: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int,
        detail: Any = None,  # any JSON value, as the server sent it
        request_id: str | None = None,
        retry_after: float | None = None,
        body: Any = None,  # any JSON value, as the server sent it
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.detail = detail
        self.request_id = request_id
        self.retry_after = retry_after
        self.body = body

    def __str__(self) -> str:
        suffix = f", request {self.request_id}" if self.request_id else ""
        return f"{self.message} ({self.code}, HTTP {self.status}{suffix})"


class InvalidInputError(ApiError):
    """The request is wrong; sending it again cannot help."""

    code_words: ClassVar[tuple[str, ...]] = ("invalid_input", "wrong_replica")


class ValidationError(InvalidInputError):
    """A field or parameter does not validate; `problems` lists which and why."""

    code_words: ClassVar[tuple[str, ...]] = ()

    @property
    def problems(self) -> tuple[Mapping[str, Any], ...]:
        """The entries of `detail`: `loc`, `msg`, `type`."""
        entries = self.detail if isinstance(self.detail, list) else []
        return tuple(entry for entry in entries if isinstance(entry, Mapping))


class StaleCursorError(InvalidInputError):
    """The row that a page was to continue from is gone; begin again without a cursor."""

    code_words: ClassVar[tuple[str, ...]] = ("stale_cursor",)


class IdempotencyMismatchError(InvalidInputError):
    """The idempotency key was used before for another request."""

    code_words: ClassVar[tuple[str, ...]] = ("idempotency_mismatch",)


class UnauthorizedError(ApiError):
    """The server does not know who is calling; log in."""

    code_words: ClassVar[tuple[str, ...]] = ("unauthorized",)


class ForbiddenError(ApiError):
    """The caller may not do this; logging in again cannot help."""

    code_words: ClassVar[tuple[str, ...]] = ("forbidden", "upstream_permission_denied")


class NotFoundError(ApiError):
    """There is no such thing, or none that the caller may see."""

    code_words: ClassVar[tuple[str, ...]] = ("not_found",)


class ConflictError(ApiError):
    """The state of things does not allow it now."""

    code_words: ClassVar[tuple[str, ...]] = ("agent_in_use", "conflict", "refresh_unsupported")


class AlreadyExistsError(ConflictError):
    """The name is taken."""

    code_words: ClassVar[tuple[str, ...]] = ("already_exists",)


class IdempotencyInFlightError(ConflictError):
    """An earlier attempt at the same request is still under way."""

    code_words: ClassVar[tuple[str, ...]] = ("idempotency_in_flight",)


class GoneError(ApiError):
    """What the request needs existed once and does not any more."""

    code_words: ClassVar[tuple[str, ...]] = ("workspace_missing", "session_agent_missing")


class HarnessNotConfiguredError(ApiError):
    """The host cannot run the agent's harness until somebody configures it."""

    code_words: ClassVar[tuple[str, ...]] = ("harness_not_configured",)


class PayloadTooLargeError(ApiError):
    """The body or upload is over the server's limit."""

    code_words: ClassVar[tuple[str, ...]] = ("payload_too_large",)


class UnsupportedMediaTypeError(ApiError):
    """The server does not take content of this type."""


class RateLimitedError(ApiError):
    """Too many requests; `retry_after` says how long to wait."""

    code_words: ClassVar[tuple[str, ...]] = ("rate_limited",)


class ServerError(ApiError):
    """The server failed."""

    code_words: ClassVar[tuple[str, ...]] = (
        "internal_error",
        "harness_protocol_violation",
        "upstream_cancelled",
    )


class ServiceUnavailableError(ServerError):
    """The server, or something between here and it, cannot answer right now."""

    code_words: ClassVar[tuple[str, ...]] = ()


class RunnerUnavailableError(ServiceUnavailableError):
    """The session has no runner that could take this, and no host that could start one."""

    code_words: ClassVar[tuple[str, ...]] = ("runner_unavailable", "runner_capability_mismatch")


class HostOfflineError(RunnerUnavailableError):
    """The host that should run it is not connected."""

    code_words: ClassVar[tuple[str, ...]] = ("host_offline",)


class AccessLostError(OmnigentError):
    """A stream that was open cannot go on: the login ended, access was revoked, or the session is gone.

    `cause` is the refusal that the reconnect met.
    """

    def __init__(self, session_id: str, cause: ApiError) -> None:
        super().__init__(f"the stream of {session_id} cannot go on: {cause}")
        self.session_id = session_id
        self.cause = cause


class TurnError(OmnigentError):
    """A turn did not end well. `text` is what the agent had said by then."""

    def __init__(self, message: str, *, text: str = "", response_id: str | None = None) -> None:
        super().__init__(message)
        self.text = text
        self.response_id = response_id


class TurnFailed(TurnError):
    """The turn ended with an error; `code` and `error` are the server's own words about it."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        error: Mapping[str, Any] | None = None,
        text: str = "",
        response_id: str | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}" if code else message, text=text, response_id=response_id)
        self.message = message
        self.code = code
        self.error = dict(error or {})


class TurnDenied(TurnFailed):
    """A policy refused the message; the agent never saw it."""


class TurnInterrupted(TurnError):
    """Somebody interrupted the turn."""


class TurnTimeout(TurnError):
    """The turn did not end within the caller's time limit; it goes on without this caller."""
