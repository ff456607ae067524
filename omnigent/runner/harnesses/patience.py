"""How long a provider is waited for, and how often it is asked again: an agent's own words over ours."""

from dataclasses import dataclass

from omnigent.spec.tooling import Retry
from omnigent.spec.types import AgentSpec

_UNCHANGED = Retry()


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """`silence_seconds` None is the operator's; `statuses` None are those that are worth repeating."""

    silence_seconds: float | None = None
    max_retries: int = 7
    backoff_base_seconds: float = 2.0
    backoff_max_seconds: float = 60.0
    jitter: bool = True
    statuses: frozenset[int] | None = None

    @classmethod
    def of(cls, spec: AgentSpec) -> "Patience":
        """What an agent's `request_timeout` and `retry` ask for."""
        retry, silence = spec.retry, spec.request_timeout
        if silence is None and retry.timeout_per_request_s != _UNCHANGED.timeout_per_request_s:
            silence = retry.timeout_per_request_s
        statuses = retry.retryable_status_codes
        return cls(
            silence_seconds=silence,
            max_retries=retry.max_retries,
            backoff_base_seconds=retry.backoff_base_s,
            backoff_max_seconds=retry.backoff_max_s,
            jitter=retry.jitter,
            statuses=None if statuses == _UNCHANGED.retryable_status_codes else frozenset(statuses),
        )
