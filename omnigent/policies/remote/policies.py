"""Url policies as handlers: an event goes out signed, a checked answer comes back, and any failure raises."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from omnigent.outbound import Guard, OutboundClient, Refused
from omnigent.policies.remote.breaker import Breaker
from omnigent.policies.remote.endpoints import Endpoints, EndpointStatus
from omnigent.policies.remote.errors import RemotePolicyError
from omnigent.policies.remote.messages import read_verdict, request_body, request_headers
from omnigent.policies.types import Phase

GATES = frozenset({Phase.REQUEST, Phase.TOOL_CALL})
ADVISORY_PHASES = frozenset(Phase) - GATES

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteRules:
    """The operator's settings for url policies.

    `secret` signs the requests when it is not empty. In `fail_open_phases` a failing policy abstains instead
    of denying; ValueError when one of them is a gate.
    """

    secret: bytes = b""
    timeout_seconds: float = 1.0
    fail_open_phases: frozenset[Phase] = frozenset()
    breaker_failures: int = 5
    breaker_pause_seconds: float = 30.0

    def __post_init__(self) -> None:
        if gates := sorted(self.fail_open_phases & GATES):
            raise ValueError(f"a url policy cannot fail open in phase {gates[0].value!r}")
        if not 0 < self.timeout_seconds < float("inf"):
            raise ValueError("the time-out must be more than 0 seconds")
        if self.breaker_failures < 1 or self.breaker_pause_seconds < 0:
            raise ValueError("the breaker needs at least 1 failure and a pause of 0 seconds or more")


class RemotePolicies:
    """The url policies of one process: holds the client, and the breakers and latencies by URL.

    Belongs to the event loop it is called on; `statuses` may be read from any thread. `now` gives epoch
    seconds, `clock` seconds that never run backwards.
    """

    def __init__(
        self,
        client: OutboundClient,
        rules: RemoteRules,
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._rules = rules
        self._now = now
        self._endpoints = Endpoints(breaker=lambda: _breaker(rules, clock), clock=clock)

    def policy(self, *, policy_id: str, name: str, url: str) -> "RemotePolicy":
        """The handler of one stored policy; cheap, for it is built with every chain."""
        return RemotePolicy(self, policy_id=policy_id, name=name, url=url)

    async def ask(
        self, policy_id: str, name: str, url: str, event: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Ask a service about an event; RemotePolicyError when it gives no usable answer."""
        body = request_body(policy_id, name, event)
        headers = request_headers(body, secret=self._rules.secret, epoch_seconds=int(self._now()))
        endpoint = self._endpoints.of(url)
        return read_verdict(await endpoint.post(self._client, headers, body, self._rules.timeout_seconds))

    def fails_open(self, event: Mapping[str, Any]) -> bool:
        """Whether the operator made failures in this event's phase harmless."""
        return event.get("type") in self._rules.fail_open_phases

    def statuses(self) -> list[EndpointStatus]:
        """Breakers and latencies, for the admin."""
        return self._endpoints.statuses()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


class RemotePolicy:
    """An asynchronous handler for the engine: takes the event, returns an answer or None, or raises."""

    def __init__(self, policies: RemotePolicies, *, policy_id: str, name: str, url: str) -> None:
        self._policies = policies
        self._policy_id = policy_id
        self._name = name
        self._url = url

    async def __call__(self, event: Mapping[str, Any]) -> dict[str, Any] | None:
        try:
            return await self._policies.ask(self._policy_id, self._name, self._url, event)
        except RemotePolicyError as problem:
            extra = {"policy_id": self._policy_id, "phase": event.get("type"), "error": str(problem)}
            if not self._policies.fails_open(event):
                log.warning("url policy failed", extra=extra)
                raise
            log.warning("url policy failed open", extra=extra)
            return None


def url_problem(guard: Guard, url: str) -> str | None:
    """What is wrong with a URL that somebody wants to attach, in words; its name is not looked up."""
    try:
        guard.check_url(url)
    except Refused as problem:
        return str(problem)
    return None


def _breaker(rules: RemoteRules, clock: Callable[[], float]) -> Breaker:
    return Breaker(failures=rules.breaker_failures, pause_seconds=rules.breaker_pause_seconds, clock=clock)
