"""The one error class of the project, its codes, and the table from code to HTTP status."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class ErrorCode(StrEnum):
    """The `error.code` of an answer; clients branch on it."""

    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    UPSTREAM_PERMISSION_DENIED = "upstream_permission_denied"
    NOT_FOUND = "not_found"
    INVALID_INPUT = "invalid_input"
    STALE_CURSOR = "stale_cursor"
    WRONG_REPLICA = "wrong_replica"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    ALREADY_EXISTS = "already_exists"
    CONFLICT = "conflict"
    AGENT_IN_USE = "agent_in_use"
    REFRESH_UNSUPPORTED = "refresh_unsupported"
    IDEMPOTENCY_MISMATCH = "idempotency_mismatch"
    IDEMPOTENCY_IN_FLIGHT = "idempotency_in_flight"
    WORKSPACE_MISSING = "workspace_missing"
    SESSION_AGENT_MISSING = "session_agent_missing"
    HARNESS_NOT_CONFIGURED = "harness_not_configured"
    RUNNER_UNAVAILABLE = "runner_unavailable"
    HOST_OFFLINE = "host_offline"
    RUNNER_CAPABILITY_MISMATCH = "runner_capability_mismatch"
    UPSTREAM_CANCELLED = "upstream_cancelled"
    HARNESS_PROTOCOL_VIOLATION = "harness_protocol_violation"
    RATE_LIMITED = "rate_limited"
    INTERNAL_ERROR = "internal_error"


STATUS: Mapping[ErrorCode, int] = MappingProxyType(
    {
        ErrorCode.UNAUTHORIZED: 401,
        ErrorCode.FORBIDDEN: 403,
        ErrorCode.UPSTREAM_PERMISSION_DENIED: 403,
        ErrorCode.NOT_FOUND: 404,
        ErrorCode.INVALID_INPUT: 400,
        ErrorCode.STALE_CURSOR: 400,
        ErrorCode.WRONG_REPLICA: 400,
        ErrorCode.PAYLOAD_TOO_LARGE: 413,
        ErrorCode.ALREADY_EXISTS: 409,
        ErrorCode.CONFLICT: 409,
        ErrorCode.AGENT_IN_USE: 409,
        ErrorCode.REFRESH_UNSUPPORTED: 409,
        ErrorCode.IDEMPOTENCY_MISMATCH: 422,
        ErrorCode.IDEMPOTENCY_IN_FLIGHT: 409,
        ErrorCode.WORKSPACE_MISSING: 410,
        ErrorCode.SESSION_AGENT_MISSING: 410,
        ErrorCode.HARNESS_NOT_CONFIGURED: 412,
        ErrorCode.RUNNER_UNAVAILABLE: 503,
        ErrorCode.HOST_OFFLINE: 503,
        ErrorCode.RUNNER_CAPABILITY_MISMATCH: 503,
        ErrorCode.UPSTREAM_CANCELLED: 499,
        ErrorCode.HARNESS_PROTOCOL_VIOLATION: 500,
        ErrorCode.RATE_LIMITED: 429,
        ErrorCode.INTERNAL_ERROR: 500,
    }
)


class OmnigentError(Exception):
    """A refusal or failure that a client is told about.

    `status` overrides the table for the few answers that use a code with another HTTP status.
    `detail` is sent beside `error`, for clients that read FastAPI's member; `headers` join the response.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        status: int | None = None,
        detail: Any = None,  # any JSON value, handed through
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = STATUS[code] if status is None else status
        self.detail = detail
        self.headers: Mapping[str, str] = MappingProxyType(dict(headers or {}))

    def __repr__(self) -> str:
        return f"OmnigentError({self.code.value!r}, {self.message!r}, status={self.status})"
